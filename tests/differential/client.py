"""A client without opinions: sends bytes, reads answers as they are framed, says how it ended."""

import contextlib
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

#: Seconds without a byte after which it is asked whether a server is silent or slow.
PATIENCE = 0.1
PROBE = b"GET /probe HTTP/1.1\r\nHost: h\r\n\r\n"


@dataclass
class Answer:
    """One response as it came."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    framing: str = ""

    def values(self, name: str) -> list[str]:
        return [value for n, value in self.headers if n.lower() == name.lower()]


@dataclass
class Conversation:
    """What came back for one case."""

    answers: list[Answer] = field(default_factory=list)
    #: "kept", "closed", "silent", or "answered PROBE'S STATUS" when something else took the probe.
    after: str = ""


class End(Exception):
    """The server closed the connection (or reset it)."""


class Silence(Exception):
    """Nothing comes, though the server has had every chance."""


class Connection:
    """One connection; `buffer` is what came and is not read yet.

    `turn` returns when the server's loop has gone round: without a byte after that, it is silent.
    """

    def __init__(self, port: int, turn: Callable[[], None] | None = None) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.turn = turn
        self.buffer = b""

    def close(self) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # refused while it was sent: the answer tells
            self.sock.sendall(data)

    def more(self) -> None:
        if self.turn and not select.select([self.sock], [], [], PATIENCE)[0]:
            self.turn()
            if not select.select([self.sock], [], [], 0)[0]:
                raise Silence
        try:
            piece = self.sock.recv(65536)
        except ConnectionError:
            piece = b""
        if not piece:
            raise End
        self.buffer += piece

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self.more()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def take_until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.more()
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken

    def answer(self, method: str) -> Answer:
        """The next response to `method`; raises End if none begins, `framing` says how its body ended."""
        first, *lines = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = [*first.split(" ", 2), "", ""][:3]
        headers = [
            (name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines)
        ]
        answer = Answer(version, int(status), reason, headers)
        try:
            self._body(answer, method)
        except End:
            answer.body += self.buffer
            self.buffer = b""
            answer.framing += ", cut off"
        return answer

    def _body(self, answer: Answer, method: str) -> None:
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            answer.framing = "none"
        elif answer.values("Transfer-Encoding") == ["chunked"]:
            answer.framing = "chunked"
            while size := int(self.take_until(b"\r\n"), 16):
                answer.body += self.take(size)
                assert self.take(2) == b"\r\n"
            assert self.take(2) == b"\r\n", "trailers"
        elif length := answer.values("Content-Length"):
            answer.framing = "length"
            answer.body = self.take(int(length[0]))
        else:
            answer.framing = "to the end"
            with contextlib.suppress(End):
                while True:
                    self.more()
            answer.body, self.buffer = self.buffer, b""


def converse(
    port: int, pieces: list[bytes], methods: list[str], turn: Callable[[], None], *, half_close: bool = False
) -> Conversation:
    """Sends the pieces, each once something came for the one before, and reads an answer per method.

    Interim answers (1xx) are kept and do not count.  Then a probe tells whether the connection goes on.
    """
    connection = Connection(port, turn)
    told = Conversation()
    try:
        _converse(connection, told, pieces, methods, half_close)
    except End:
        told.after = "closed"
    except Silence:
        told.after = "silent"
    finally:
        connection.close()
    return told


def _converse(
    connection: Connection, told: Conversation, pieces: list[bytes], methods: list[str], half_close: bool
) -> None:
    left, final = list(pieces), 0
    connection.send(left.pop(0))
    if half_close:
        connection.sock.shutdown(socket.SHUT_WR)
    while final < len(methods):
        answer = connection.answer(methods[final])
        told.answers.append(answer)
        final += answer.status >= 200
        if left:
            connection.send(left.pop(0))
    if half_close:
        connection.more()
        told.after = "answered more"
        return
    connection.send(PROBE)
    probed = connection.answer("GET")
    told.after = "kept" if probed.body == b"probe" else f"answered {probed.status}"
