"""Frames between a node and the bus, as bytes: sans-I/O, the same for both sides.

A frame is a head of 12 bytes (bytes behind the head, kind, flags, bytes of the words, number), the words (a
JSON array in ASCII), and a body of raw bytes.  `number` joins an answer to what was asked; 0: no answer is
wanted, or given.

From a node, in the order of words (body in brackets):

    HELLO        [JSON: version, node, limits]; the first frame of a connection
    SUBSCRIBE    topic
    UNSUBSCRIBE  topic
    PUBLISH      topic, key or null, size or null, ttl or null [payload]; BINARY
    HISTORY      topic, epoch or null, offset, most or null; answered by MESSAGEs with its number, then ANSWER
    JOIN         topic, client, node [info, JSON]
    LEAVE        topic, client, node
    MEMBERS      topic; answered by MEMBERs with its number, then ANSWER
    FORGET       node
    BEAT         (a sign of life; what was sent before has been done when it is answered)

From the bus:

    ANSWER       epoch, offset; DUPLICATE: the key was known; LOST: the history does not reach back
    MESSAGE      topic, epoch, offset, origin [payload]; BINARY
    JOINED LEFT  topic, client, node [info]
    MEMBER       client, node [info]
    GONE         node
"""

import json
import struct
from collections.abc import Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

VERSION = 1

HELLO, SUBSCRIBE, UNSUBSCRIBE, PUBLISH, HISTORY, JOIN, LEAVE, MEMBERS, FORGET, BEAT = range(1, 11)
ANSWER, MESSAGE, JOINED, LEFT, MEMBER, GONE = range(32, 38)
KINDS = frozenset([*range(1, 11), *range(32, 38)])

#: Flags.
BINARY, DUPLICATE, LOST = 1, 2, 4

_HEAD = struct.Struct("!IBBHI")
HEAD_BYTES = _HEAD.size
#: Words are counted in two bytes.
MOST_WORDS = 65535
#: The number under which a node asks for the first sign of life; others are below it.
GREETING = 2**32 - 1

Word = str | int | float | None

_read_words = json.JSONDecoder().raw_decode


class WireError(ValueError):
    """What came is no frame, or none that is allowed."""


class Frame(NamedTuple):
    kind: int
    flags: int
    number: int
    words: list[Any]
    body: bytes


def print_frame(
    kind: int, words: Sequence[Word] = (), body: bytes = b"", flags: int = 0, number: int = 0
) -> bytes:
    """The bytes of a frame.  Raises `WireError` for more words than fit."""
    # An encoder of JSON takes four times as long for a few words.
    printed = [
        encode_basestring_ascii(word) if isinstance(word, str) else "null" if word is None else repr(word)
        for word in words
    ]
    text = f"[{','.join(printed)}]".encode("ascii")
    if len(text) > MOST_WORDS:
        raise WireError(f"words of {len(text)} bytes: {MOST_WORDS} are allowed")
    return _HEAD.pack(len(text) + len(body), kind, flags, len(text), number) + text + body


class Reader:
    """Takes bytes and gives frames; `largest`: bytes of one, head included.  Of no use after an error."""

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        del self._buffer[: self._at]
        self._at = 0
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next whole frame; None: more bytes are needed.  Raises `WireError`."""
        at = self._at
        buffer = self._buffer
        if len(buffer) - at < HEAD_BYTES:
            return None
        size, kind, flags, word_bytes, number = _HEAD.unpack_from(buffer, at)
        if size + HEAD_BYTES > self.largest:
            raise WireError(f"a frame of {size + HEAD_BYTES} bytes: {self.largest} are allowed")
        if kind not in KINDS:
            raise WireError(f"a frame of kind {kind}: there is none")
        if word_bytes > size:
            raise WireError(f"words of {word_bytes} bytes in a frame of {size}")
        at += HEAD_BYTES
        end = at + size
        if len(buffer) < end:
            return None
        middle = at + word_bytes
        self._at = end
        try:
            words, read = _read_words(buffer[at:middle].decode("ascii"))
        except (ValueError, RecursionError) as error:
            raise WireError(f"words that are no JSON: {error}") from None
        if type(words) is not list or read != word_bytes:
            raise WireError(f"words that are no JSON array: {words!r:.80}")
        return Frame(kind, flags, number, words, bytes(memoryview(buffer)[middle:end]))
