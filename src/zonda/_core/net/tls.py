"""TLS settings: from Tornado's `ssl_options` to the standard library's `SSLContext`."""

import functools
import os
import socket
import ssl
from typing import Any

#: What Tornado calls `ssl_options`.
SSLOptions = dict[str, Any] | ssl.SSLContext

_KEYWORDS = frozenset({"ssl_version", "certfile", "keyfile", "cert_reqs", "ca_certs", "ciphers"})


@functools.cache
def client_defaults() -> ssl.SSLContext:
    """The context of clients that say nothing: certificate and host name are checked."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.options |= ssl.OP_NO_COMPRESSION
    return context


@functools.cache
def server_defaults() -> ssl.SSLContext:
    """The context of servers that say nothing: no certificate is asked of clients."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.options |= ssl.OP_NO_COMPRESSION
    return context


def ssl_options_to_context(ssl_options: SSLOptions, server_side: bool | None = None) -> ssl.SSLContext:
    """An `SSLContext` of `ssl_options`; one that is a context already is returned as it is.

    The keys of the dictionary are `ssl_version`, `certfile`, `keyfile`, `cert_reqs`, `ca_certs`
    and `ciphers`, as `ssl.wrap_socket` had them.  `server_side` chooses the protocol and the
    checks that go with it; `None` means both and is deprecated by the standard library.
    Raises: `AssertionError` for other keys; `OSError` (`ssl.SSLError`) if a file cannot be loaded.
    Source: Tornado documentation, `tornado.netutil`.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    assert isinstance(ssl_options, dict)
    unknown = set(ssl_options) - _KEYWORDS
    assert not unknown, f"ssl_options has unknown keys {sorted(unknown)}; allowed: {sorted(_KEYWORDS)}"
    version = ssl_options.get("ssl_version")
    if version is None:
        version = {
            None: ssl.PROTOCOL_TLS,
            True: ssl.PROTOCOL_TLS_SERVER,
            False: ssl.PROTOCOL_TLS_CLIENT,
        }[server_side]
    context = ssl.SSLContext(version)
    if "certfile" in ssl_options:
        context.load_cert_chain(ssl_options["certfile"], ssl_options.get("keyfile"))
    if "cert_reqs" in ssl_options:
        if ssl_options["cert_reqs"] == ssl.CERT_NONE:
            context.check_hostname = False  # it cannot stay on where no certificate is asked for
        context.verify_mode = ssl_options["cert_reqs"]
    if "ca_certs" in ssl_options:
        context.load_verify_locations(ssl_options["ca_certs"])
    if "ciphers" in ssl_options:
        context.set_ciphers(ssl_options["ciphers"])
    context.options |= ssl.OP_NO_COMPRESSION  # CRIME
    return context


def ssl_wrap_socket(
    socket: socket.socket,
    ssl_options: SSLOptions,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """The socket under TLS, as `ssl_options` say; `kwargs` go to `SSLContext.wrap_socket`.

    `server_hostname` is sent (SNI, RFC 6066) and checked against the certificate.
    Source: Tornado documentation, `tornado.netutil`.
    """
    context = ssl_options_to_context(ssl_options, server_side=server_side)
    return context.wrap_socket(
        socket, server_hostname=server_hostname, server_side=bool(server_side), **kwargs
    )


def check_server_options(ssl_options: SSLOptions | None) -> None:
    """Finds a certificate that is not there when the server is made, not when the first client comes.

    Raises: `KeyError` if a dictionary names no `certfile`; `ValueError` if a file does not exist.
    """
    if not isinstance(ssl_options, dict):
        return
    if "certfile" not in ssl_options:
        raise KeyError('missing key "certfile" in ssl_options')
    for key in ("certfile", "keyfile"):
        file = ssl_options.get(key)
        if file is not None and not os.path.exists(file):
            raise ValueError(f'{key} "{file}" does not exist')
