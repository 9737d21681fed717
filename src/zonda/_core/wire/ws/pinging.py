"""When to ping, and when to give up (RFC 6455 section 5.5.2).  Times are the caller's seconds."""


class Pinger:
    """Pings every `interval`; gives up when a ping stays unanswered for `timeout` (0: never).

    The two may stand in any relation: pings go on while one is waited for.
    """

    __slots__ = ("_next", "_unanswered", "interval", "timeout")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self.interval = interval
        self.timeout = timeout
        self._next = now + interval
        #: When the oldest ping without an answer was sent.
        self._unanswered: float | None = None

    @property
    def wakes_at(self) -> float:
        """When something is to be done next."""
        if self._unanswered is None or not self.timeout:
            return self._next
        return min(self._next, self._unanswered + self.timeout)

    def answered(self) -> None:
        """A Pong: it answers the latest Ping, and with it all before (section 5.5.3)."""
        self._unanswered = None

    def excuse(self, now: float) -> None:
        """Nothing was read meanwhile: the answer may be among what is not read yet."""
        if self._unanswered is not None:
            self._unanswered = now

    def expired(self, now: float) -> bool:
        """Whether a ping has gone unanswered for too long."""
        return bool(self.timeout) and self._unanswered is not None and now >= self._unanswered + self.timeout

    def due(self, now: float) -> bool:
        """Whether a ping is to be sent now; it is taken to be sent."""
        if now < self._next:
            return False
        # The rhythm is kept, unless we are so late that several would fall together.
        self._next = max(self._next + self.interval, now)
        if self._unanswered is None:
            self._unanswered = now
        return True
