"""One timer for many: who is woken, and that cancelled alarms do not pile up."""

import asyncio

from zonda._core.link.alarms import Alarms


class Sleeper:
    def __init__(self, loop):
        self.loop = loop
        self.woken = loop.create_future()

    def wake(self, now):
        self.woken.set_result(now)


def test_cancelled_alarms_do_not_pile_up_beside_one_that_stays():
    async def main():
        loop = asyncio.get_running_loop()
        alarms = Alarms()
        far = loop.time() + 1000
        staying = [alarms.set(Sleeper(loop), far + number) for number in range(10)]
        most = 0
        for number in range(5000):
            alarms.cancel(alarms.set(Sleeper(loop), far + number / 7))
            most = max(most, len(alarms._queue))
        assert most <= 200
        assert set(staying) <= set(alarms._queue)
        for alarm in staying:
            alarms.cancel(alarm)
        assert not alarms._queue

    asyncio.run(main())


def test_those_that_stay_are_woken_in_their_order_after_many_were_cancelled():
    async def main():
        loop = asyncio.get_running_loop()
        alarms = Alarms()
        now = loop.time()
        sleepers = [Sleeper(loop) for _ in range(5)]
        order = []
        for number in (3, 1, 4, 0, 2):
            sleepers[number].woken.add_done_callback(lambda _, number=number: order.append(number))
            alarms.set(sleepers[number], now + number / 1000)
        for _ in range(300):
            alarms.cancel(alarms.set(Sleeper(loop), now + 1000))
        async with asyncio.timeout(5):
            await asyncio.gather(*(sleeper.woken for sleeper in sleepers))
        assert order == [0, 1, 2, 3, 4]

    asyncio.run(main())
