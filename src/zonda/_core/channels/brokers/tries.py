"""Trying again what a lost connection broke, within the time that a broker has."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from zonda._core.channels.errors import BrokerUnavailable

_T = TypeVar("_T")

#: Seconds between tries: at first, and at most.
FIRST_DELAY = 0.02
LONGEST_DELAY = 1.0


async def in_time(
    name: str,
    seconds: float,
    attempt: Callable[[], Awaitable[_T]],
    passing: tuple[type[Exception], ...],
    again: bool = True,
) -> _T:
    """What `attempt` gives; if it fails with one of `passing` it is made again (if `again`), later and later.

    Raises `BrokerUnavailable`, which begins with `name`, once `seconds` are over; one that
    `attempt` raises is final.
    """
    delay = FIRST_DELAY
    failure = ""
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    return await attempt()
                except BrokerUnavailable:
                    raise
                except passing as error:
                    if not again:
                        raise BrokerUnavailable(f"{name}: {error}") from error
                    failure = f": {error}" if str(error) else ""
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
    except TimeoutError as error:
        raise BrokerUnavailable(f"{name} did not answer within {seconds:g} seconds{failure}") from error
