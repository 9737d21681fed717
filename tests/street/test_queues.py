import asyncio
import datetime

import pytest

from zonda import queues


@pytest.mark.parametrize("end", ["cancelled", "timed out"])
def test_those_who_give_up_behind_one_who_waits_are_not_kept(end):
    async def main():
        queue = queues.Queue()
        waiting = queue.get()
        for _ in range(1000):
            if end == "cancelled":
                queue.get().cancel()
            else:
                getter = queue.get(datetime.timedelta(0))
                with pytest.raises(TimeoutError):
                    await getter
        assert len(queue._getters) <= 64
        queue.put_nowait("x")
        assert await waiting == "x"

    asyncio.run(main())


def test_many_who_wait_are_served_in_order():
    async def main():
        queue = queues.Queue(1)
        getters = [queue.get() for _ in range(1000)]
        for number in range(1000):
            queue.put_nowait(number)
        assert [await getter for getter in getters] == list(range(1000))
        putters = [queue.put(number) for number in range(1000)]
        assert [queue.get_nowait() for _ in putters] == list(range(1000))
        assert all(putter.done() for putter in putters)

    asyncio.run(main())


def test_a_getter_that_waits_gets_what_the_order_says():
    class Doubling(queues.PriorityQueue):
        def _put(self, item):
            super()._put(item * 2)

    async def main():
        queue = Doubling()
        getter = queue.get()
        queue.put_nowait(4)
        assert await getter == 8

    asyncio.run(main())
