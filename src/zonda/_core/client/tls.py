"""The TLS context of a request: contexts are dear, so the same settings get the same object."""

import functools
import os
import ssl
from typing import Any

from zonda._core.net.tls import client_defaults, ssl_options_to_context

from .message import HTTPRequest

#: Contexts kept; each holds a store of certificates.
_CONTEXTS = 32


def context_of(request: HTTPRequest) -> ssl.SSLContext:
    """Raises `OSError` (`ssl.SSLError`) if a file cannot be loaded, `AssertionError` for unknown options."""
    options = request.ssl_options
    if options is not None:
        if isinstance(options, ssl.SSLContext):
            return options
        files = tuple(_stamp(options.get(name)) for name in ("certfile", "keyfile", "ca_certs"))
        return _context_of_options(tuple(sorted(options.items())), files)
    ca_certs, cert, key = request.ca_certs, request.client_cert, request.client_key
    if request.validate_cert and ca_certs is None and cert is None and key is None:
        return client_defaults()
    stamps = (_stamp(ca_certs), _stamp(cert), _stamp(key))
    return _context_of_files(bool(request.validate_cert), ca_certs, cert, key, stamps)


def _stamp(file: Any) -> int | None:
    """Files may be replaced while we run; then a new context is due."""
    try:
        return None if file is None else os.stat(file).st_mtime_ns
    except OSError:
        return None


@functools.lru_cache(maxsize=_CONTEXTS)
def _context_of_options(
    options: tuple[tuple[str, Any], ...], stamps: tuple[int | None, ...]
) -> ssl.SSLContext:
    return ssl_options_to_context(dict(options), server_side=False)


@functools.lru_cache(maxsize=_CONTEXTS)
def _context_of_files(
    validate: bool,
    ca_certs: str | None,
    cert: str | None,
    key: str | None,
    stamps: tuple[int | None, ...],
) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca_certs)
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context
