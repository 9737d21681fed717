"""Topics by long polling: each request is answered once there is something, with a cursor for the next."""

import asyncio
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from zonda._core.channels import objects
from zonda._core.channels.errors import ChannelError
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Message
from zonda._core.channels.session import Session

from .handler import DoorHandler, Query, post, read_query, subscribe


class ChannelPollHandler(DoorHandler):
    """Topics by long polling, and commands by POST: define `authorize`."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        await serve(self)

    async def post(self, *args: Any, **kwargs: Any) -> None:
        await post(self)


async def serve(handler: DoorHandler) -> None:
    """Answers a GET once there is something to tell."""
    try:
        query = read_query(handler)
    except ChannelError as error:
        handler.answer_error(error)
        return
    hub = handler.hub
    door = PollDoor(hub.limits.channel_poll_bytes)
    session = Session(hub, _Lingering(hub), handler, door, query.client, quiet=True)
    handler._door = door
    try:
        await _wait(door, session, query)
        if door.left:
            door.objects.append(objects.BYE)
        messages = b",".join([*session.aside, *door.objects])
        cursor = session.cursor()
    finally:
        handler._door = None
        session.close()
    # Nothing in a cursor has to be escaped.
    handler.answer(b'{"messages":[%b],"cursor":"%b"}' % (messages, cursor.encode()))


async def _wait(door: "PollDoor", session: Session, query: Query) -> None:
    """Until there is something to tell, or nobody to tell it to."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.wait
    tasks = subscribe(session, query)
    if tasks:
        # Each has its own bound (`Limits.broker_timeout`), but for what the application's hooks take.
        begun: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait([begun, door.over], return_when=asyncio.FIRST_COMPLETED)
    if not door.objects and not door.over.done():
        await asyncio.wait(
            [door.something, door.over],
            timeout=max(0.0, deadline - loop.time()),
            return_when=asyncio.FIRST_COMPLETED,
        )


class PollDoor:
    """What a session has to tell, gathered for one answer (`session.Door`)."""

    form = "json"

    def __init__(self, most: int) -> None:
        loop = asyncio.get_running_loop()
        self.objects: list[bytes] = []
        #: Done once there is something to tell.
        self.something: asyncio.Future[None] = loop.create_future()
        #: Done once there is no more to wait for.
        self.over: asyncio.Future[None] = loop.create_future()
        #: The server leaves.
        self.left = False
        self._room = most

    def render(self, message: Message) -> bytes:
        return objects.message(message)

    def wrap(self, printed: bytes) -> bytes:
        return printed

    def send(self, printed: bytes) -> bool:
        self.objects.append(printed)
        self._room -= len(printed)
        _set(self.something)
        return self._room > 0

    def hold(self) -> None:
        """The rest is for the next poll."""

    def overflow(self, reason: str) -> None:
        """The next poll goes on where this answer ends."""

    def leave(self) -> None:
        self.left = True
        _set(self.over)

    def gone(self) -> None:
        """The client has gone away."""
        _set(self.over)


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class _Lingering:
    """Records presence (`session.Attends`) beyond the end of a poll, until the next one takes it over."""

    #: Of each hub: (topic, client) that linger.
    _all: ClassVar[WeakKeyDictionary[Hub, dict[tuple[str, str], asyncio.TimerHandle]]] = WeakKeyDictionary()

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._timers = self._all.setdefault(hub, {})

    async def join(self, topic: str, client: str, info: Any) -> None:
        timer = self._timers.pop((topic, client), None)
        if timer is None:
            await self._hub.join(topic, client, info)
        else:
            timer.cancel()

    def leave(self, topic: str, client: str, info: Any) -> None:
        if (topic, client) in self._timers:
            self._hub.leave(topic, client, info)
            return
        loop = asyncio.get_running_loop()
        self._timers[topic, client] = loop.call_later(
            self._hub.limits.channel_poll_linger, self._gone, topic, client, info
        )

    def _gone(self, topic: str, client: str, info: Any) -> None:
        del self._timers[topic, client]
        self._hub.leave(topic, client, info)
