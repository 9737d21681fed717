"""Reads frames (RFC 6455 sections 5 and 8.1), strictly, and at a cost linear in what comes."""

import codecs

from zonda._core.base.limits import Limits
from zonda._core.base.masking import masked

from .close import INVALID_PAYLOAD, POLICY_VIOLATION, PROTOCOL_ERROR, TOO_BIG, read_close
from .deflate import Decompressor, DecompressTooLargeError
from .events import BINARY, CLOSE, CONTINUATION, TEXT, Close, Control, Event, Failure

_decoder = codecs.getincrementaldecoder("utf-8")

#: Frames that are read before others on the loop have their turn.
_FRAMES_PER_TURN = 128

#: What an incompressible message may gain by being "compressed".
_DEFLATE_OVERHEAD = 1024


class FrameReader:
    """Eats bytes, gives events: messages as `str` or `bytes`, `Control`, one `Close` or `Failure` at the end.

    `masked`: frames must be masked (we are the server), or must not (section 5.1).
    """

    __slots__ = (
        "_binary",
        "_closed",
        "_compressed",
        "_decoder",
        "_decompressor",
        "_fin",
        "_frames",
        "_gathered",
        "_in_message",
        "_key",
        "_left",
        "_limits",
        "_masked",
        "_received",
        "_rest",
        "max_message_size",
        "more",
    )

    def __init__(self, limits: Limits, masked: bool, max_message_size: int) -> None:
        self._limits = limits
        self._masked = masked
        #: Bytes of a message, inflated.
        self.max_message_size = max_message_size
        #: There is more to read in what has come: `feed(b"")`.
        self.more = False
        self._closed = False
        #: What came and is not read: part of a head, or the rest of a turn.
        self._rest = b""
        self._decompressor: Decompressor | None = None
        # The message being read.
        self._in_message = False
        self._binary = False
        self._compressed = False
        self._frames = 0
        #: Payload bytes that came, compressed or not.
        self._received = 0
        self._gathered: bytearray | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        # The frame being read.
        self._fin = False
        self._left = 0
        self._key = b""

    def use(self, decompressor: Decompressor) -> None:
        """Messages may come compressed."""
        self._decompressor = decompressor

    def push(self, data: bytes) -> None:
        """Takes bytes for a later `feed`."""
        if not self._closed:
            self._rest += data
            self.more = True

    @property
    def waiting(self) -> int:
        """Bytes that came and are not read."""
        return len(self._rest)

    def close(self) -> None:
        """Reads nothing any more."""
        self._closed = True
        self.more = False
        self._rest = b""
        self._gathered = self._decoder = self._decompressor = None

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes; after `_FRAMES_PER_TURN` frames the rest waits (`more`)."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        elif self._masked and not self._in_message and not self._closed:
            # The usual case: one message of up to 64 KB in one read, and nothing else.
            size = len(data) - 6
            if size >= 0 and (data[0] == 0x81 or data[0] == 0x82):
                payload: bytes | bytearray | None = None
                if size < 126:
                    if data[1] == 128 + size:
                        payload = masked(data, 6, data[2:6])
                elif data[1] == 254 and size >= 128 and (data[2] << 8) + data[3] == size - 2:
                    payload = masked(data, 8, data[4:8])
                if payload is not None and len(payload) <= self.max_message_size:
                    if data[0] == 0x82:
                        return [bytes(payload)]
                    try:
                        return [payload.decode()]
                    except UnicodeDecodeError:
                        pass
        if self._closed:
            return []
        events: list[Event] = []
        try:
            at = self._read(data, events)
        except _Wrong as wrong:
            self.close()
            events.append(Failure(wrong.code, wrong.reason))
        else:
            if not self._closed and at < len(data):
                self._rest = data[at:]
            elif self._closed:
                self.close()
        return events

    # ---- frames

    def _read(self, data: bytes, events: list[Event]) -> int:
        """Reads frames; returns how far."""
        at, size = 0, len(data)
        self.more = False
        frames = 0
        while not self._closed:
            if self._left:
                piece = data[at : at + self._left]
                if not piece:
                    break
                at += len(piece)
                self._left -= len(piece)
                self._take(piece)
                if self._left:
                    break
                if self._fin:
                    events.append(self._message())
                continue
            if frames == _FRAMES_PER_TURN:
                self.more = at < size
                break
            begun = self._begin(data, at, size, events)
            if begun == at:
                break
            at = begun
            frames += 1
        return at

    def _begin(self, data: bytes, at: int, size: int, events: list[Event]) -> int:
        """Reads a frame's head, a control frame whole; returns how far: `at` if not all of it is there."""
        if size - at < 2:
            if size > at:
                self._check_first(data[at])
            return at
        first, second = data[at], data[at + 1]
        opcode = self._check_first(first)
        if (second & 0x80 != 0) is not self._masked:
            raise _Wrong(PROTOCOL_ERROR, "unmasked frame" if self._masked else "masked frame")
        length = second & 0x7F
        begin = at + 2
        if opcode & 8:
            if length > 125:
                raise _Wrong(PROTOCOL_ERROR, "control frame of more than 125 bytes")
            end = begin + length + (4 if self._masked else 0)
            if size < end:
                return at
            payload = data[end - length : end]
            if self._masked:
                payload = bytes(masked(payload, 0, data[begin : begin + 4]))
            self._control(opcode, payload, events)
            return end
        if length == 126:
            begin += 2
            if size < begin:
                return at
            length = int.from_bytes(data[begin - 2 : begin], "big")
            if length < 126:
                raise _Wrong(PROTOCOL_ERROR, "length not in its shortest form")
        elif length == 127:
            begin += 8
            if size < begin:
                return at
            length = int.from_bytes(data[begin - 8 : begin], "big")
            if length < 0x10000 or length >> 63:
                raise _Wrong(PROTOCOL_ERROR, "length not in its shortest form")
        if self._masked:
            begin += 4
            if size < begin:
                return at
            self._key = data[begin - 4 : begin]
        self._begin_data(opcode, first, length)
        if not length and self._fin:
            events.append(self._message())
        return begin

    def _check_first(self, first: int) -> int:
        """Checks a frame's first byte against the state we are in; returns its opcode."""
        opcode = first & 0x0F
        rsv = first & 0x70
        # RSV1 begins a compressed message, where that was agreed on (RFC 7692 section 6).
        if rsv and not (rsv == 0x40 and opcode in (TEXT, BINARY) and self._decompressor is not None):
            raise _Wrong(PROTOCOL_ERROR, "reserved bits set")
        if opcode & 8:
            if opcode > 0xA:
                raise _Wrong(PROTOCOL_ERROR, f"unknown opcode {opcode}")
            if not first & 0x80:
                raise _Wrong(PROTOCOL_ERROR, "fragmented control frame")
        elif opcode > BINARY:
            raise _Wrong(PROTOCOL_ERROR, f"unknown opcode {opcode}")
        elif (opcode == CONTINUATION) is not self._in_message:
            what = "nothing to continue" if opcode == CONTINUATION else "a message inside a message"
            raise _Wrong(PROTOCOL_ERROR, what)
        return opcode

    def _control(self, opcode: int, payload: bytes, events: list[Event]) -> None:
        if opcode != CLOSE:
            events.append(Control(opcode, payload))
            return
        event: Close | Failure = read_close(payload)
        self._closed = True
        events.append(event)

    # ---- messages

    def _begin_data(self, opcode: int, first: int, length: int) -> None:
        if opcode != CONTINUATION:
            self._in_message = True
            self._binary = opcode == BINARY
            self._compressed = first & 0x40 != 0
            self._frames = self._received = 0
        self._frames += 1
        self._received += length
        allowed = self.max_message_size
        if self._compressed:
            allowed += _DEFLATE_OVERHEAD + allowed // 64
        if self._received > allowed:
            raise _Wrong(TOO_BIG, "message too big")
        if self._frames > self._limits.websocket_frames:
            raise _Wrong(
                POLICY_VIOLATION, f"a message of more than {self._limits.websocket_frames} fragments"
            )
        self._fin = first & 0x80 != 0
        self._left = length

    def _take(self, came: bytes) -> None:
        """Takes payload of the message."""
        piece: bytes | bytearray = came
        if self._masked:
            key = self._key
            if self._left:
                turn = len(came) & 3
                self._key = key[turn:] + key[:turn]
            piece = masked(came, 0, key)
        if self._compressed:
            piece = self._inflate(piece)
        if not self._binary and not (self._fin and not self._left and self._decoder is None):
            # What is no UTF-8 is refused as soon as it is here, not at the message's end (section 8.1).
            if self._decoder is None:
                self._decoder = _decoder()
            try:
                self._decoder.decode(piece)
            except UnicodeDecodeError:
                raise _Wrong(INVALID_PAYLOAD, "text that is not UTF-8") from None
        if self._gathered is None:
            self._gathered = piece if type(piece) is bytearray else bytearray(piece)
        else:
            self._gathered += piece

    def _message(self) -> str | bytes:
        """The message is complete."""
        gathered = self._gathered
        if self._compressed:
            rest = self._inflate(None)
            if rest:
                gathered = bytearray(rest) if gathered is None else gathered + rest
        self._gathered = self._decoder = None
        self._in_message = False
        if self._binary:
            return b"" if gathered is None else bytes(gathered)
        try:
            return "" if gathered is None else gathered.decode()
        except UnicodeDecodeError:
            raise _Wrong(INVALID_PAYLOAD, "text that is not UTF-8") from None

    def _inflate(self, piece: bytes | bytearray | None) -> bytes:
        """What a piece inflates to, or with None the end of the message."""
        assert self._decompressor is not None
        try:
            return self._decompressor.end() if piece is None else self._decompressor.feed(piece)
        except DecompressTooLargeError:
            raise _Wrong(TOO_BIG, "message too big") from None
        except ValueError as error:
            raise _Wrong(INVALID_PAYLOAD, str(error)) from None


class _Wrong(Exception):
    """What was read is not allowed."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
