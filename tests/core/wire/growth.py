"""Growth: the cost of n, 10 n and 100 n."""

import time
from collections.abc import Callable
from typing import Any


def _cost(work: Callable[[Any], object], data: Any) -> float:
    # The least of several runs is what the work costs; the rest is the machine's.
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        work(data)
        best = min(best, time.process_time() - start)
    return best


def assert_linear(make: Callable[[int], Any], work: Callable[[Any], object], n: int) -> None:
    """Asserts that `work(make(100 * n))` costs no more than linear growth would let it.

    Quadratic growth would be 10,000 times the cost of n; 100 times is linear, and 1,000 is the line
    between them.  10 n against 100 n says the same closer to the big sizes.
    """
    small, middle, large = (_cost(work, make(n * factor)) for factor in (1, 10, 100))
    floor = 2e-5  # below it a clock measures nothing
    assert large <= 1000 * max(small, floor), (small, middle, large)
    assert large <= 40 * max(middle, floor), (small, middle, large)
