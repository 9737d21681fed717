"""What carries topics to a client: the part that all three ways have in common."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Protocol

from zonda._core.base.errors import ProtocolError
from zonda._core.base.limits import Limits
from zonda._core.channels.errors import ChannelError
from zonda.httpclient import HTTPClientError, HTTPRequest
from zonda.simple_httpclient import SimpleAsyncHTTPClient
from zonda.websocket import WebSocketError

from .subscription import ChannelSubscription

#: What ends a connection: it fails in some way, or its server talks nonsense.
FAULTS = (
    OSError,
    HTTPClientError,
    WebSocketError,
    ProtocolError,
    ChannelError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


def pause(limits: Limits, tries: int) -> float:
    """Seconds before another try: twice as many each time, `Limits.channel_retry_most` at most."""
    return min(limits.channel_retry_most, limits.channel_retry * 2.0 ** min(tries, 30))


def abort(http: SimpleAsyncHTTPClient) -> None:
    """Cancels what is under way."""
    for task in http.active.values():
        task.cancel()


async def close(http: SimpleAsyncHTTPClient) -> None:
    """Cancels what is under way, waits for its end, and closes."""
    abort(http)
    if http.active:
        await asyncio.wait(list(http.active.values()))
    http.close()


class Command:
    """A command without an answer."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.text = json.dumps(told)
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        #: The connection that it was sent on.
        self.sent_by: object = None


class Owner(Protocol):
    """The client, as transports see it."""

    limits: Limits
    client: str
    subscriptions: dict[str, ChannelSubscription]
    commands: dict[int, Command]

    def request(self, query: Iterable[tuple[str, str]], **more: Any) -> HTTPRequest:
        """A request for the channels' URL."""

    def next_id(self) -> int: ...
    def post(self) -> None:
        """Sends all commands by POST."""

    def receive(self, told: dict[str, Any], transport: "Transport") -> ChannelSubscription | None:
        """The server has said something; the subscription that it is about."""


class Transport:
    """One connection, made for one use."""

    name = ""

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.limits = owner.limits
        self.loop = asyncio.get_running_loop()
        #: Done when it has ended, with why: "bye", or something that tells people.
        self.done: asyncio.Future[str] = self.loop.create_future()
        #: When the server said something last; None: it never has.
        self.heard: float | None = None
        #: Nothing is read, for somebody does not take what has come.
        self.held = False
        self._opened: asyncio.Future[bool] = self.loop.create_future()

    async def open(self, beside: bool = False) -> bool:
        """Whether it works.  `beside`: another transport is in use, so nothing is subscribed to yet."""
        self.begin(beside)
        return await self._opened

    def begin(self, beside: bool) -> None:
        raise NotImplementedError

    def changed(self) -> None:
        """Other topics are wanted."""
        raise NotImplementedError

    def knows(self, subscription: ChannelSubscription) -> bool:
        """The server was told of it: what comes on its topic is not for an earlier one."""
        raise NotImplementedError

    def forget(self, subscription: ChannelSubscription) -> None:
        """The server knows nothing of it."""
        raise NotImplementedError

    def flush(self) -> None:
        """Sends what has not been sent."""
        self.owner.post()

    def check(self) -> None:
        """Ends if there is no sign of life where one is due."""

    async def close(self) -> None:
        self.end("closed")

    def end(self, why: str) -> None:
        self.ready(False)
        if not self.done.done():
            self.done.set_result(why)

    def ready(self, works: bool = True) -> None:
        if not self._opened.done():
            self._opened.set_result(works)

    def hear(self) -> None:
        self.heard = self.loop.time()

    async def hand_over(self, told: Any) -> None:
        """Gives an object to whom it is for, and waits while that one has no room."""
        self.hear()
        if not isinstance(told, dict):
            raise ValueError(f"not a JSON object: {str(told)[:80]}")
        if told.get("bye"):
            self.end("bye")
        if self.done.done():
            return
        subscription = self.owner.receive(told, self)
        if subscription is not None and subscription.full:
            self.held = True
            self.flush()
            try:
                await subscription.room()
            finally:
                self.held = False
                self.hear()
