import asyncio
import datetime

import pytest

from zonda import locks

SOON = datetime.timedelta(milliseconds=1)


def test_waiters_that_give_up_are_not_kept():
    async def main():
        for lock, wait in (
            (event := locks.Event(), event.wait),
            (condition := locks.Condition(), condition.wait),
            (semaphore := locks.Semaphore(0), semaphore.acquire),
        ):
            waiters = [wait() for _ in range(50)]
            late = [wait(SOON) for _ in range(50)]
            for waiter in waiters[::2]:
                waiter.cancel()
            await asyncio.wait(late)
            await asyncio.sleep(0)
            assert len(lock._waiters) == 25
            assert all(isinstance(w.exception(), TimeoutError) or w.result() is False for w in late)

    asyncio.run(main())


def test_a_permit_given_to_a_cancelled_task_comes_back():
    async def main():
        for lock in (locks.Lock(), locks.Semaphore(1)):
            await lock.acquire()

            async def enter(lock=lock):
                async with lock:
                    raise AssertionError("cancelled before it could enter")

            task = asyncio.create_task(enter())
            await asyncio.sleep(0)
            # Given and cancelled in one step of the loop, before the task runs again.
            lock.release()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert lock.acquire().done()

    asyncio.run(main())


def test_a_cancelled_waiter_takes_no_permit():
    async def main():
        semaphore = locks.Semaphore(0)
        first, second = semaphore.acquire(), semaphore.acquire()
        first.cancel()
        semaphore.release()
        assert second.done()
        assert not semaphore.acquire().done()

    asyncio.run(main())


def test_a_time_out_leaves_no_timer_behind():
    async def main():
        event = locks.Event()
        waiter = event.wait(datetime.timedelta(hours=1))
        event.set()
        await waiter
        await asyncio.sleep(0)
        scheduled = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]
        assert scheduled == []

    asyncio.run(main())
