"""Where a WebSocket connection stands (RFC 6455 section 7.1): the one table of it."""

#: state          may send messages   is told messages   what ends the state
#: OPEN           yes                 yes                a Close frame, either way
#: CLOSE_SENT     no                  yes                their Close -> CLOSED
#: CLOSE_SEEN     no                  no                 ours, which answers it -> CLOSED
#: FAILED         no                  no                 they go, or time runs out -> CLOSED
#: CLOSED         no                  no                 -
OPEN, CLOSE_SENT, CLOSE_SEEN, FAILED, CLOSED = range(5)

#: (state, what happens) -> state; what is not listed changes nothing.
_SENT, _SEEN, _FAIL = "close sent", "close seen", "failed"
_TABLE = {
    (OPEN, _SENT): CLOSE_SENT,
    (OPEN, _SEEN): CLOSE_SEEN,
    (CLOSE_SENT, _SEEN): CLOSED,
    (CLOSE_SEEN, _SENT): CLOSED,
    (OPEN, _FAIL): FAILED,
    (CLOSE_SENT, _FAIL): FAILED,
}


def close_sent(state: int) -> int:
    """We have sent a Close frame."""
    return _TABLE.get((state, _SENT), state)


def close_seen(state: int) -> int:
    """A Close frame has come."""
    return _TABLE.get((state, _SEEN), state)


def failed(state: int) -> int:
    """The peer broke the protocol, or an application failed: section 7.1.7."""
    return _TABLE.get((state, _FAIL), state)
