"""Clocks: one place that knows what time it is, so that tests can stand still."""

import time

#: Seconds of a clock that never goes back; for durations and deadlines.
monotonic = time.monotonic

#: Seconds since 1970-01-01 UTC; for dates that others read.
wall = time.time
