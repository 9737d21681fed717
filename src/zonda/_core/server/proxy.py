"""What a proxy in front of us says of the client: X-Forwarded-For, X-Real-Ip, X-Forwarded-Proto, X-Scheme."""

from collections.abc import Iterable

from zonda._core.net.resolve import is_valid_ip
from zonda._core.wire.headers import HTTPHeaders


class TrustedProxy:
    """Believes those fields (the server's `xheaders` option).

    `trusted` are the addresses of proxies of ours: the client is the last address of X-Forwarded-For that is
    none of them.  Source: Tornado documentation, `tornado.httpserver`.
    """

    __slots__ = ("trusted",)

    def __init__(self, trusted: Iterable[str]) -> None:
        self.trusted = frozenset(trusted)

    def client(self, headers: HTTPHeaders, ip: str, protocol: str) -> tuple[str, str]:
        """The client's address and protocol; what is no address or no protocol we know is passed over."""
        claimed = ip
        for address in reversed(headers.get("X-Forwarded-For", ip).split(",")):
            claimed = address.strip()
            if claimed not in self.trusted:
                break
        claimed = headers.get("X-Real-Ip", claimed)
        if is_valid_ip(claimed):
            ip = claimed
        scheme = headers.get("X-Scheme", headers.get("X-Forwarded-Proto", ""))
        # Several proxies in a row append; the last one is the one that we know.
        scheme = scheme.rpartition(",")[2].strip()
        return ip, scheme if scheme in ("http", "https") else protocol
