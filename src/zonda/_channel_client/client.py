"""`connect` and `ChannelClient`: any number of topics over one connection, which is kept up.

What goes over the wire: docs/channels-protocol.md.
"""

import asyncio
import random
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any, Self
from urllib.parse import urlencode

from zonda._core.base.limits import DEFAULT_LIMITS, Limits
from zonda._core.channels.errors import (
    BadRequest,
    BrokerUnavailable,
    ChannelError,
    CursorError,
    Forbidden,
    PayloadError,
    TooMany,
    TopicError,
)
from zonda._core.channels.message import Member, encode
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.topic import check_name
from zonda.httpclient import HTTPRequest
from zonda.log import app_log

from .http import PollTransport
from .poster import Poster
from .sse import SSETransport
from .subscription import ChannelSubscription
from .transport import Command, Transport, pause
from .websocket import WebSocketTransport

#: Best first.
_TRANSPORTS: dict[str, type[Transport]] = {
    "websocket": WebSocketTransport,
    "sse": SSETransport,
    "poll": PollTransport,
}
_ERRORS: dict[str, type[ChannelError]] = {
    kind.code: kind
    for kind in (BadRequest, BrokerUnavailable, CursorError, Forbidden, PayloadError, TooMany, TopicError)
}
#: Seconds; a connection that held for so long did not fail.
_LASTED = 10.0
_HOUR = 3600.0


class ChannelClient:
    """Topics of a server elsewhere; `connect` makes it, and `async with` begins and ends it.

    The connection is kept up: WebSocket, or SSE, or long polling, whichever works; each topic goes on where
    it was, and what comes twice is given once.
    """

    def __init__(
        self,
        url: str,
        transports: Iterable[str],
        headers: Mapping[str, str] | None,
        client: str | None,
        limits: Limits,
        more: dict[str, Any],
    ) -> None:
        self.client = client or secrets.token_urlsafe(12)
        self.limits = limits
        #: The transport in use: "websocket", "sse" or "poll"; None while there is no connection.
        self.transport: str | None = None
        self.subscriptions: dict[str, ChannelSubscription] = {}
        self.commands: dict[int, Command] = {}
        self._names = list(transports)
        unknown = [name for name in self._names if name not in _TRANSPORTS]
        if unknown or not self._names:
            raise ValueError(f"transports are some of {', '.join(_TRANSPORTS)}; seen: {self._names}")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the URL of channels begins with http:// or https://: {url}")
        self._url = url
        self._headers = dict(headers or {})
        self._more = more
        self._last_id = 0
        self._command_bytes = 0
        self._better = limits.channel_better_interval
        self._link: Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        #: Why there is no connection.
        self._fault = "it has not begun"
        self._timers: set[asyncio.TimerHandle] = set()
        self._told = False

    async def __aenter__(self) -> Self:
        if self._closed or self._task is not None:
            raise ChannelError("a client of channels is begun once")
        self._poster = Poster(self)
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_ended)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection, and all loops over topics; commands without an answer fail."""
        self._closed = True
        for subscription in list(self.subscriptions.values()):
            subscription.end()
        self.subscriptions.clear()
        for command in self.commands.values():
            _fail(command, ChannelError("the client of channels was closed"))
        for timer in self._timers:
            timer.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._poster.close()

    # ---- for programs to call

    def subscribe(
        self, topic: str, since: Position | str | None = None, *, presence: bool = False
    ) -> ChannelSubscription:
        """A topic, to iterate over with `async for`; each topic once at a time.

        `since`: a position (or its text), for what came behind it first; where that is lost, a `Gap` comes.
        `presence`: also `Joined` and `Left` come.  `Limits.channel_client_bytes` of messages wait for the
        loop; past it nothing more is read from the connection, other topics included.
        Raises `TopicError`, `CursorError`, and `ChannelError` for a topic that is subscribed to.
        """
        check_name(topic)
        if self._closed:
            raise ChannelError("the client of channels is closed")
        if topic in self.subscriptions:
            raise BadRequest(f"topic {topic} is subscribed to already")
        if isinstance(since, str):
            since = Position.parse(since)
        subscription = ChannelSubscription(self, topic, since, presence, self.limits)
        self.subscriptions[topic] = subscription
        self._changed()
        return subscription

    async def publish(self, topic: str, data: Any, *, key: str | None = None) -> Position:
        """Publishes a JSON value or bytes; the position, `NOWHERE` in topics without history.

        It is sent again, with the same key, until there is an answer.  `key`: by default a new one.
        Raises what the server refuses it with (`Forbidden`, `TopicError`, `PayloadError`), `TooMany` where
        `Limits.channel_client_command_bytes` wait, and `BrokerUnavailable` without an answer within
        `Limits.channel_client_timeout`; then it may have been published.
        """
        body, binary = encode(data, self.limits.channel_message_bytes)
        told = {"base64": b64encode(body).decode()} if binary else {"data": data}
        key = secrets.token_urlsafe(12) if key is None else key
        answer = await self._command({"publish": check_name(topic), **told, "key": key})
        return Position.parse(answer["position"]) if answer.get("position") else NOWHERE

    async def presence(self, topic: str) -> list[Member]:
        """Who is here.  Raises as `publish`."""
        answer = await self._command({"presence": check_name(topic)})
        return [Member(member["client"], member.get("info")) for member in answer["members"]]

    # ---- commands

    async def _command(self, told: dict[str, Any]) -> dict[str, Any]:
        if self._closed:
            raise ChannelError("the client of channels is closed")
        id = self.next_id()
        command = Command({**told, "id": id})
        size = len(command.text)
        most = self.limits.channel_client_command_bytes
        if self.commands and self._command_bytes + size > most:
            raise TooMany(f"{self._command_bytes} bytes of commands wait for answers: {most} are allowed")
        self.commands[id] = command
        self._command_bytes += size
        if self._link is not None:
            self._link.flush()
        seconds = self.limits.channel_client_timeout
        try:
            async with asyncio.timeout(seconds):
                return await command.answer
        except TimeoutError:
            why = "" if self._link is not None else f": {self._fault}"
            raise BrokerUnavailable(f"no answer within {seconds:g} seconds{why}") from None
        finally:
            del self.commands[id]
            self._command_bytes -= size

    # ---- what subscriptions and transports call

    def unsubscribe(self, subscription: ChannelSubscription) -> None:
        if self.subscriptions.get(subscription.topic) is subscription:
            del self.subscriptions[subscription.topic]
            self._changed()

    def request(self, query: Iterable[tuple[str, str]], **more: Any) -> HTTPRequest:
        url = self._url + ("&" if "?" in self._url else "?") + urlencode(list(query))
        timeout = self.limits.channel_answer_timeout
        options = {"connect_timeout": timeout, "request_timeout": timeout, **self._more, **more}
        return HTTPRequest(url, headers=dict(self._headers), **options)

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def post(self) -> None:
        if self._link is not None:
            self._poster.post(self._link)

    def receive(self, told: dict[str, Any], transport: Transport) -> ChannelSubscription | None:
        topic = next((told[key] for key in ("topic", "subscribed", "presence") if key in told), None)
        subscription = self.subscriptions.get(topic) if isinstance(topic, str) else None
        if subscription is not None and not transport.knows(subscription):
            subscription = None
        id = told.get("id")
        command = self.commands.get(id) if isinstance(id, int) else None
        if "error" not in told:
            if command is None:
                if subscription is not None:
                    subscription.take(told)
                return subscription
            if not command.answer.done():
                command.answer.set_result(told)
            return None
        error = _error(told["error"])
        if command is not None:
            if isinstance(error, BrokerUnavailable):
                command.sent_by = None
                self._soon(self._flush)
            else:
                _fail(command, error)
        elif subscription is not None and told.get("id", subscription.id) == subscription.id:
            if isinstance(error, BrokerUnavailable):
                self._soon(self._again, subscription)
            else:
                transport.forget(subscription)
                del self.subscriptions[subscription.topic]
                subscription.end(error)
        elif id is None:
            app_log.warning("Error from channels at %s: %s: %s", self._url, error.code, error)
        return None

    def _soon(self, call: Any, *args: Any) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call(*args)

        pause = self.limits.channel_retry * (1 + random.random())
        timer = asyncio.get_running_loop().call_later(pause, run)
        self._timers.add(timer)

    def _flush(self) -> None:
        if self._link is not None:
            self._link.flush()

    def _again(self, subscription: ChannelSubscription) -> None:
        if self._link is not None:
            self._link.forget(subscription)
            self._link.changed()

    def _changed(self) -> None:
        if not self._told and self._link is not None:
            self._told = True  # several in a row are one
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._told = False
        if self._link is not None and not self._link.done.done():
            self._link.changed()

    # ---- the connection

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        names = self._names
        first = 0
        tries = 0  # in a row, of which none lasted
        while True:
            link: Transport | None = None
            for name in names[first:] + names[:first]:
                link = await self._open(name)
                if link is not None:
                    break
            at_once = False
            while link is not None:
                begun = loop.time()
                end = await self._use(link)
                # One that was opened, and never said anything, does not work.
                first = (names.index(link.name) + (link.heard is None)) % len(names)
                if loop.time() - begun >= _LASTED:
                    tries = 0
                link = end if isinstance(end, Transport) else None
                if end in names:
                    first = names.index(str(end))
                at_once = tries < 3 and (end == "bye" or end in names)
            if not at_once:
                await asyncio.sleep(pause(self.limits, tries) * random.uniform(0.5, 1))
            tries += 1

    async def _open(self, name: str, beside: bool = False) -> Transport | None:
        """A transport that works, or None."""
        link = _TRANSPORTS[name](self)
        works = False
        try:
            async with asyncio.timeout(self.limits.channel_answer_timeout):
                works = await link.open(beside)
        except TimeoutError:
            link.end(f"{name} was silent for {self.limits.channel_answer_timeout:g} seconds")
        finally:
            if not works:
                await link.close()
        if works:
            return link
        self._fault = link.done.result()
        return None

    async def _use(self, link: Transport) -> str | Transport:
        """Uses a transport until it ends: why, the name of one to try, or a better one that is open."""
        loop = asyncio.get_running_loop()
        betters = self._names[: self._names.index(link.name)]
        if not betters:
            self._better = self.limits.channel_better_interval
        self._link = link
        self.transport = link.name
        try:
            link.changed()
            link.flush()
            due = loop.time() + self._better
            while not link.done.done():
                await asyncio.wait([link.done], timeout=self.limits.channel_answer_timeout / 4)
                link.check()
                if not betters or loop.time() < due or link.done.done():
                    continue
                self._better = min(2 * self._better, _HOUR)
                due = loop.time() + self._better
                # A WebSocket can be tried beside; another stream would bring what this one brings.
                if "websocket" in betters:
                    other = await self._open("websocket", beside=True)
                    if other is not None:
                        return other
                if betters[-1] != "websocket":
                    return betters[-1]
            self._fault = link.done.result()
            return self._fault
        finally:
            self._link = self.transport = None
            await link.close()


def connect(
    url: str,
    *,
    transports: Iterable[str] = tuple(_TRANSPORTS),
    headers: Mapping[str, str] | None = None,
    client: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **request: Any,
) -> ChannelClient:
    """A client of the channels at `url` (http or https), for `async with`.

        async with connect("https://example.org/channels") as channels:
            await channels.publish("room.1", {"text": "hello"})
            async for message in channels.subscribe("room.1"):
                print(message.data)

    `transports`: best first; the next is tried where one cannot be opened, or is silent.  `headers` go with
    every request, the WebSocket's included.  `client`: the id by which presence counts us, random by
    default.  Other keywords are those of `HTTPRequest` (`ca_certs`, `auth_username`, ...).
    Raises `ValueError` for another URL or transport.
    """
    return ChannelClient(url, transports, headers, client, limits, request)


def _error(told: Any) -> ChannelError:
    code, message = str(told["code"]), str(told["message"])
    kind = _ERRORS.get(code)
    if kind is not None:
        return kind(message)
    error = ChannelError(message)
    error.code = code
    return error


def _fail(command: Command, error: ChannelError) -> None:
    if not command.answer.done():
        command.answer.set_exception(error)


def _ended(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        app_log.error("The client of channels has failed", exc_info=task.exception())
