"""Errors that cross rooms.  They carry plain values and name the side, what was seen, what is allowed."""


class ProtocolError(Exception):
    """The peer broke the protocol or a limit of ours.

    `status` is what the answering layer should send (a client ignores it); `reason` says in one
    sentence what was seen and what is allowed.  It may hold bytes of the peer's: log it escaped.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
