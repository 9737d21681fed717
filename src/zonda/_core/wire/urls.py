"""Pieces of URLs: authority, query and credentials."""

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import AddressValueError, IPv6Address
from typing import AnyStr
from urllib.parse import parse_qsl, urlencode, urlparse, urlunparse

#: The common case of `check_host`, decided at one look.
_PLAIN_HOST = re.compile(r"[A-Za-z0-9\-._~]++(?::[0-9]{0,4}+)?+")
#: RFC 3986, 3.2.2: reg-name, not empty, but without the comma: what holds one is two Host fields that
#: somebody on the way has joined.
_REG_NAME = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})++")
#: RFC 3986, 3.2.2: IPvFuture.
_IP_FUTURE = re.compile(r"[vV][0-9A-Fa-f]++\.[A-Za-z0-9\-._~!$&'()*+,;=:]++")
#: The characters of an IPv6 address; a zone (`%`) says nothing to another host.
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_PORT_DIGITS = 5


def check_host(value: str) -> bool:
    """Whether `value` is `host` or `host:port` as RFC 3986, 3.2 has it; the host may not be empty.

    The host is a registered name, an IPv4 address, or an IPv6 address in brackets; the port is
    empty or a number up to 65535 in ASCII digits.
    """
    if _PLAIN_HOST.fullmatch(value):
        return True
    if value.startswith("["):
        host, bracket, rest = value[1:].partition("]")
        if not bracket or not _is_ip_literal(host):
            return False
        if not rest:
            return True
        colon, port = rest[0], rest[1:]
        if colon != ":":
            return False
    else:
        host, _, port = value.partition(":")
        if not _REG_NAME.fullmatch(host):
            return False
    return not port or (_is_number(port, _PORT_DIGITS) and int(port) <= 65535)


def _is_ip_literal(text: str) -> bool:
    if not _IPV6.fullmatch(text):
        return _IP_FUTURE.fullmatch(text) is not None
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _is_number(text: str, most: int) -> bool:
    return 0 < len(text) <= most and text.isascii() and text.isdecimal()


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """Splits `host:port`; without a port the second item is `None`.

    Nothing else is checked, and brackets of an IPv6 address are kept (see `check_host`).
    Source: Tornado documentation, `tornado.httputil`.
    """
    host, _, port = netloc.rpartition(":")
    # Ten digits are more than any port has; int() of an unbounded string costs more than it is worth.
    if host and _is_number(port, 10):
        return host, int(port)
    return netloc, None


def url_concat(
    url: str, args: dict[str, str] | list[tuple[str, str]] | tuple[tuple[str, str], ...] | None
) -> str:
    """Returns `url` with `args` appended to its query, before any fragment.

    Raises `TypeError` if `args` is no dict, list or tuple; `None` leaves the URL as it is.
    Source: Tornado documentation, `tornado.httputil`.
    """
    if args is None:
        return url
    pairs: Iterable[tuple[str, str]]
    if isinstance(args, dict):
        pairs = args.items()
    elif isinstance(args, (list, tuple)):
        pairs = args
    else:
        raise TypeError(f"'args' parameter should be dict, list or tuple. Not {type(args)}")
    parts = urlparse(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    query.extend(pairs)
    return urlunparse(parts._replace(query=urlencode(query)))


def qs_to_qsl(qs: Mapping[str, Iterable[AnyStr]]) -> Iterator[tuple[str, AnyStr]]:
    """Yields a pair for every value of a mapping such as `urllib.parse.parse_qs` gives."""
    for name, values in qs.items():
        for value in values:
            yield name, value


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Returns `username:password` as Basic authentication wants it (RFC 7617), not yet in base64.

    Text is normalized to NFC and encoded as UTF-8; bytes are taken as they are.
    """
    return _credential(username) + b":" + _credential(password)


def _credential(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    import unicodedata  # few clients have a password

    return unicodedata.normalize("NFC", text).encode()
