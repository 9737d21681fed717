"""Reads the files of `corpus/`: one case a line.

    GET /path?query HTTP/1.0 | Name: value | Name: value || body
    A && B        requests in one write (pipelined)
    A >> B        B is sent once something has come back for A (an answer, or 100 Continue)
    raw: BYTES    sent as they are; `~~` ends a line
    end: BYTES    the same, and then the sending side is closed

The version is HTTP/1.1 unless said, `Host: h` and Content-Length are added unless given (`Host:` alone
leaves it out), and escapes (`\\r \\n \\t \\xNN \\uNNNN`) are undone, characters above U+00FF as UTF-8.
`{x*N}` stands for N times x, `| form` and `| multipart` for the usual Content-Type.  Lines that begin
with `@` hold for what follows: `@server NAME`, `@compare all` (the default) or `@compare status`, and
`@log no` or `@log yes` (the default).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")
TYPES = {
    "form": "Content-Type: application/x-www-form-urlencoded",
    "multipart": "Content-Type: multipart/form-data; boundary=XX",
}


@dataclass
class Case:
    """One line of the corpus."""

    name: str
    server: str
    pieces: list[bytes]
    methods: list[str]
    half_close: bool = False
    #: Whether headers and bodies are compared, or no more than status and connection.
    whole: bool = True
    log: bool = True


def unescape(text: str) -> bytes:
    text = re.sub(r"\{([^{}]+?)\*(\d+)\}", lambda found: found[1] * int(found[2]), text)
    simple = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

    def undo(found: re.Match[str]) -> str:
        code = found[1]
        return simple[code] if code in simple else chr(int(code[1:], 16))

    plain = re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|[rnt0\\])", undo, text)
    return b"".join(c.encode("latin-1") if c <= "\xff" else c.encode() for c in plain)


def request(text: str) -> tuple[bytes, str]:
    """One request and its method."""
    head, has_body, body = text.partition(" || ")
    first, *headers = (part.strip() for part in f"{head} ".split(" |"))
    if not re.search(r" HTTP/\d\.\d$", first):
        first += " HTTP/1.1"
    lines = [first, *(TYPES.get(header, header) for header in headers if header)]
    given = {line.partition(":")[0].lower() for line in lines[1:]}
    if "host" not in given:
        lines.insert(1, "Host: h")
    lines = [line for line in lines if line != "Host:"]
    content = unescape(body)
    if has_body and not given & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(content)}")
    return b"\r\n".join([unescape(line) for line in lines]) + b"\r\n\r\n" + content, first.partition(" ")[0]


def case(line: str, server: str, *, whole: bool, log: bool) -> Case:
    kind, _, rest = line.partition(": ")
    if kind in ("raw", "end"):
        pieces = [unescape(piece.replace("~~", "\\r\\n")) for piece in rest.split(" >> ")]
        method = rest.partition(" ")[0]
        return Case(f"{server}: {line}", server, pieces, [method], kind == "end", whole, log)
    pieces, methods = [], []
    for piece in line.split(" >> "):
        # A piece that is no request is the rest of the one before.
        if not re.match(r"[A-Z]+ ", piece):
            pieces.append(unescape(piece))
            continue
        requests = [request(text) for text in piece.split(" && ")]
        pieces.append(b"".join(sent for sent, _ in requests))
        methods += [method for _, method in requests]
    return Case(f"{server}: {line}", server, pieces, methods, whole=whole, log=log)


def read(path: Path) -> Iterator[Case]:
    server, whole, log = "main", True, True
    for line in path.read_text().splitlines():
        if line.startswith("@server "):
            server = line.split()[1]
        elif line.startswith("@compare "):
            whole = line.split()[1] == "all"
        elif line.startswith("@log "):
            log = line.split()[1] == "yes"
        elif line and not line.startswith("#"):
            yield case(line, server, whole=whole, log=log)


def corpus() -> dict[str, list[Case]]:
    """The cases of each file, by its name."""
    return {path.stem: list(read(path)) for path in sorted(FOLDER.glob("*.txt"))}
