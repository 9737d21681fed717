"""Which broker a URL means."""

import importlib
from urllib.parse import urlsplit

from zonda._core.base.limits import Limits
from zonda._core.channels.broker import Broker

#: Scheme -> (module beside this one, class, extra of pyproject.toml that it needs).
_BROKERS = {
    "local": ("local", "LocalBroker", None),
    "unixbus": ("unixbus", "UnixBusBroker", None),
    "redis": ("redis", "RedisBroker", "redis"),
    "rediss": ("redis", "RedisBroker", "redis"),
    "nats": ("nats", "NatsBroker", "nats"),
    "tls": ("nats", "NatsBroker", "nats"),
    "postgresql": ("postgres", "PostgresBroker", "postgres"),
    "postgres": ("postgres", "PostgresBroker", "postgres"),
}


def make_broker(url: str, limits: Limits) -> Broker:
    """The broker of a URL such as "redis://127.0.0.1:6379/0"; it is not connected yet.

    Raises `ValueError` for a scheme that is none, and `ImportError` where the client library is not
    installed.
    """
    scheme = urlsplit(url).scheme
    if scheme not in _BROKERS:
        raise ValueError(
            f"{scheme or url!r} is no broker: {', '.join(f'{name}://' for name in _BROKERS)} are"
        )
    module, name, extra = _BROKERS[scheme]
    try:
        found = importlib.import_module(f".{module}", __package__)
    except ModuleNotFoundError as error:
        if extra is None:
            raise
        raise ImportError(
            f"the broker {scheme}:// needs {error.name}, which is not installed: pip install 'zonda[{extra}]'"
        ) from error
    broker: Broker = getattr(found, name)(url, limits)
    return broker
