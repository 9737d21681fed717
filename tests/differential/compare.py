"""Turns what came back into what can be compared, and says the differences."""

import json
import re
import zlib
from typing import Any

from tests.differential.client import Answer, Connection, Conversation, converse
from tests.differential.corpus import Case

#: Differ always, and say nothing.
NOT_COMPARED = {"server", "date"}


def settled(text: str, names: dict[str, str]) -> str:
    """Without what is drawn by lot, measured, or the package's own name."""
    for name, stands_for in names.items():
        text = text.replace(name, stands_for)
    text = re.sub(r"\d+\.\d\dms", "TIMEms", text)
    text = re.sub(r"2\|[0-9a-f]{8}\|([0-9a-f]{2})+\|", "2|MASK|TOKEN|", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "HEX32", text) if "_xsrf" in text or "__Host-x" in text else text
    text = re.sub(r"127\.0\.0\.1:\d+|\('127\.0\.0\.1', \d+\)|\[?127\.0\.0\.1\]? port \d+", "PEER", text)
    text = re.sub(r"/[\w/]*/tmp\w+/files/", "FILES/", text)
    return re.sub(r" at 0x[0-9a-f]+", " at ADDRESS", text)


def traceback(body: str) -> str:
    """A traceback without the lines between the first and the exception: they name files."""
    return re.sub(r"(?s)(Traceback \(most recent call last\):\n)(?:  .*\n)+", r"\1", body)


def told(answer: Answer, names: dict[str, str], *, whole: bool) -> dict[str, Any]:
    """What of one answer is compared, field by field."""
    said: dict[str, Any] = {"status": answer.status}
    if not whole:
        return said
    if answer.status >= 400 and not answer.values("Date"):
        return said | {"refused": True}  # by the server, before any handler: ours says why, in its own words
    body, zipped = answer.body, answer.values("Content-Encoding") == ["gzip"]
    if zipped and body:
        body = zlib.decompress(body, 47)
    plain = traceback(settled(body.decode("latin-1"), names))
    said |= {"version": answer.version, "reason": answer.reason, "framing": answer.framing, "body": plain}
    for name, value in answer.headers:
        if name.lower() in NOT_COMPARED:
            value = "SAID"
        elif zipped and name == "Content-Length":
            value = "COMPRESSED"
        elif name == "Content-Length" and "Traceback" in plain:
            value = "OF A TRACEBACK"
        elif name == "Etag" and plain.encode("latin-1") != body:
            value = "OF A BODY BY LOT"
        said.setdefault(f"header {name}", []).append(settled(value, names))
    return said


def logged(record: list[Any], names: dict[str, str]) -> list[Any]:
    """A record without the wording of what is wrong with a message: each package has its own."""
    name, level, text, raised = record
    text = re.sub(r"(?s)(Malformed HTTP message from |Invalid body: ).*", r"\1...", settled(text, names))
    return [name, level, text, raised]


class Side:
    """One of the two servers."""

    def __init__(self, package: str, ports: dict[str, int]) -> None:
        self.ports = ports
        self.names = {package: "PACKAGE", package.capitalize(): "PACKAGE"}
        self.control = Connection(ports["records"])

    def close(self) -> None:
        self.control.close()

    def _control(self, request: bytes) -> bytes:
        self.control.send(request)
        return self.control.answer("GET").body

    def turn(self, times: int = 30) -> None:
        """Returns when the server's loop has gone round a few times."""
        for _ in range(times):
            self._control(b"GET /turn HTTP/1.1\r\nHost: h\r\n\r\n")

    def fields(self, case: Case) -> dict[str, Any]:
        """Everything that is compared, by name; a second answer's names begin with `2: `."""
        conversation = self._converse(case)
        said: dict[str, Any] = {"answers": len(conversation.answers), "connection": conversation.after}
        for n, answer in enumerate(conversation.answers, 1):
            prefix = f"{n}: " if n > 1 else ""
            said |= {
                prefix + name: value for name, value in told(answer, self.names, whole=case.whole).items()
            }
        if conversation.after != "kept":
            self.turn(5)  # for what is logged of the end of a connection
        records = json.loads(self._control(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
        if case.log:
            said["log"] = [logged(record, self.names) for record in records]
        return said

    def _converse(self, case: Case) -> Conversation:
        return converse(
            self.ports[case.server], case.pieces, case.methods, self.turn, half_close=case.half_close
        )


def differences(genuine: dict[str, Any], ours: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """`{field: (genuine's, ours)}`, None for a field that one side does not have."""
    fields = {**genuine, **ours}
    return {
        name: (genuine.get(name), ours.get(name)) for name in fields if genuine.get(name) != ours.get(name)
    }
