"""Agreeing on permessage-deflate (RFC 6455 section 9.1, RFC 7692 section 7.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zonda._core.base.errors import ProtocolError
from zonda._core.wire.abnf import split_list, unquote
from zonda._core.wire.fields import is_token

from .deflate import MEM_LEVEL, Compressor, Decompressor
from .deflate_memory import MEMORY, Share, deflater_bytes, inflater_bytes

NAME = "permessage-deflate"
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")
_BITS = {str(bits): bits for bits in range(8, 16)}
_MOST_BITS = 15

#: zlib writes no window of eight bits: where that is agreed on, we inflate and do not compress.
_LEAST_WRITTEN = 9


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides have agreed on; `share` is what was drawn for the contexts that it takes."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = _MOST_BITS
    client_max_window_bits: int = _MOST_BITS
    share: Share | None = field(default=None, compare=False)

    def compressor(self, server: bool, options: Mapping[str, Any]) -> Compressor | None:
        """What the server, or the client, compresses with; None: it sends messages as they are."""
        bits = self._bits(server)
        if bits < _LEAST_WRITTEN:
            return None
        return Compressor(not self._forgets(server), bits, options, self.share)

    def decompressor(self, server: bool, max_message_size: int) -> Decompressor:
        """What the server, or the client, inflates with."""
        return Decompressor(
            not self._forgets(not server), self._bits(not server), max_message_size, share=self.share
        )

    def context_bytes(self, server: bool, options: Mapping[str, Any]) -> int:
        """What the server, or the client, holds between messages."""
        size = 0
        if not self._forgets(server) and self._bits(server) >= _LEAST_WRITTEN:
            size += deflater_bytes(self._bits(server), options.get("mem_level", MEM_LEVEL))
        if not self._forgets(not server):
            size += inflater_bytes(self._bits(not server))
        return size

    def _bits(self, server: bool) -> int:
        return self.server_max_window_bits if server else self.client_max_window_bits

    def _forgets(self, server: bool) -> bool:
        return self.server_no_context_takeover if server else self.client_no_context_takeover


def parse_extensions(values: list[str]) -> list[tuple[str, dict[str, str | None]]]:
    """Names and parameters in the Sec-WebSocket-Extensions fields.

    Raises `ValueError` for what is not the grammar, and for a parameter given twice.
    """
    extensions = []
    for element in split_list(",".join(values)):
        name, *parts = [part.strip(" \t") for part in element.split(";")]
        parameters: dict[str, str | None] = {}
        for part in parts:
            key, equals, value = part.partition("=")
            key, value = key.strip(" \t"), unquote(value.strip(" \t"))
            if not is_token(key) or key in parameters or (equals and not is_token(value)):
                raise ValueError(f"invalid parameter of a WebSocket extension: {part[:100]!r}")
            parameters[key] = value if equals else None
        if not is_token(name):
            raise ValueError(f"invalid name of a WebSocket extension: {name[:100]!r}")
        extensions.append((name, parameters))
    return extensions


def _is_valid(parameters: dict[str, str | None], answer: bool) -> bool:
    """Whether these are parameters of permessage-deflate; an answer gives each window its value."""
    for name, value in parameters.items():
        if name in _FLAGS:
            if value is not None:
                return False
        elif name not in _WINDOWS:
            return False
        elif value is None:
            if answer or name == "server_max_window_bits":
                return False
        elif value not in _BITS:
            return False
    return True


def _bits(value: Any) -> int:
    return _MOST_BITS if value is None else int(value)


def accept_offer(
    values: list[str], options: Mapping[str, Any], memory: int | None = None
) -> tuple[Agreement, str] | None:
    """The server's side: the first offer that can be taken, and the field that answers it; None if none can.

    `options` may hold the four parameters as the server wants them: flags, and windows of 8 to 15 bits.
    `memory` is what all contexts of the process may hold, in bytes (None = no bound): what is past it goes
    without.
    """
    try:
        offers = parse_extensions(values)
    except ValueError:
        return None
    for name, offered in offers:
        if name != NAME or not _is_valid(offered, answer=False):
            continue
        server_forgets, client_forgets = (flag in offered or bool(options.get(flag)) for flag in _FLAGS)
        server_bits = min(
            _bits(offered.get("server_max_window_bits")), _bits(options.get("server_max_window_bits"))
        )
        client_bits = _MOST_BITS
        if "client_max_window_bits" in offered:
            client_bits = min(
                _bits(offered["client_max_window_bits"]), _bits(options.get("client_max_window_bits"))
            )
        wanted = Agreement(server_forgets, client_forgets, server_bits, client_bits)
        agreement = _draw(wanted, True, options, memory)
        parts = [NAME, *(flag for flag in _FLAGS if getattr(agreement, flag))]
        if server_bits < _MOST_BITS or "server_max_window_bits" in offered:
            parts.append(f"server_max_window_bits={server_bits}")
        if client_bits < _MOST_BITS:
            parts.append(f"client_max_window_bits={client_bits}")
        return agreement, "; ".join(parts)
    return None


def _draw(agreement: Agreement, server: bool, options: Mapping[str, Any], memory: int | None) -> Agreement:
    """The agreement with memory drawn for its contexts; without contexts, if there is no memory."""
    share = MEMORY.draw(agreement.context_bytes(server, options), memory)
    if share is None:
        # The server may ask for both, whatever was offered (sections 7.1.1.1 and 7.1.1.2).
        return replace(agreement, server_no_context_takeover=True, client_no_context_takeover=True)
    return replace(agreement, share=share)


def draw_for_offer(options: Mapping[str, Any], memory: int | None) -> tuple[Mapping[str, Any], Share | None]:
    """The client's side, before it offers: memory drawn for all that may be agreed on, as in `accept_offer`.

    Returns what to offer: without contexts, if there is no memory.
    """
    server_forgets, client_forgets = (bool(options.get(flag)) for flag in _FLAGS)
    server_bits, client_bits = (_bits(options.get(window)) for window in _WINDOWS)
    wanted = Agreement(server_forgets, client_forgets, server_bits, client_bits)
    share = _draw(wanted, False, options, memory).share
    return (options if share is not None else {**options, **dict.fromkeys(_FLAGS, True)}), share


def print_offer(options: Mapping[str, Any]) -> str:
    """The client's side: the field that offers compression; `options` as in `accept_offer`."""
    parts = [NAME, *(flag for flag in _FLAGS if options.get(flag))]
    if options.get("server_max_window_bits") is not None:
        parts.append(f"server_max_window_bits={int(options['server_max_window_bits'])}")
    bits = options.get("client_max_window_bits")
    parts.append("client_max_window_bits" if bits is None else f"client_max_window_bits={int(bits)}")
    return "; ".join(parts)


def read_answer(
    values: list[str], options: Mapping[str, Any] | None, share: Share | None = None
) -> Agreement | None:
    """The client's side: what the server took; `options` are what was offered, None if nothing was.

    `share` was drawn for that; what is too much of it is given back.
    Raises `ProtocolError` for an answer to no offer of ours: the connection must fail (section 7.1).
    """
    if not values:
        return None
    shown = ",".join(values)[:200]
    try:
        taken = parse_extensions(values)
    except ValueError as error:
        raise ProtocolError(str(error)) from None
    if options is None or len(taken) != 1 or taken[0][0] != NAME or not _is_valid(taken[0][1], answer=True):
        raise ProtocolError(f"the server took an extension that was not offered so: {shown!r}")
    answer = taken[0][1]
    server_bits = _bits(answer.get("server_max_window_bits"))
    client_bits = _bits(answer.get("client_max_window_bits"))
    if server_bits > _bits(options.get("server_max_window_bits")) or (
        options.get("server_no_context_takeover") and "server_no_context_takeover" not in answer
    ):
        raise ProtocolError(f"the server does not keep to what the extension was offered with: {shown!r}")
    client_bits = min(client_bits, _bits(options.get("client_max_window_bits")))
    agreement = Agreement(
        "server_no_context_takeover" in answer,
        "client_no_context_takeover" in answer or bool(options.get("client_no_context_takeover")),
        server_bits,
        client_bits,
        share,
    )
    if share is not None:
        share.shrink(agreement.context_bytes(False, options))
    return agreement
