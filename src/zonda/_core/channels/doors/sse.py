"""Topics as a stream of server-sent events."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from zonda._core.channels import objects
from zonda._core.channels.errors import BadRequest, ChannelError
from zonda._core.channels.message import Message
from zonda._core.channels.position import print_cursor
from zonda._core.channels.session import Session
from zonda._core.link.exchange import Exchange
from zonda._core.wire.sse import print_comment, print_event

from .handler import DoorHandler, post, read_query, subscribe
from .heartbeat import heartbeat_of

#: Milliseconds after which a browser comes again: a random number, so that not all come at once.
_RETRY = (500, 2000)
_BEAT = print_comment()


class ChannelSSEHandler(DoorHandler):
    """Topics as server-sent events, and commands by POST: define `authorize`."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return serve(self)

    async def post(self, *args: Any, **kwargs: Any) -> None:
        await post(self)


def serve(handler: DoorHandler) -> None:
    """Answers a GET with a stream that ends when the client or the server leaves."""
    exchange: Any = handler.request.connection
    try:
        query = read_query(handler, last_event_id=handler.last_event_id)
        if not isinstance(exchange, Exchange):
            raise BadRequest("this connection cannot carry a stream of topics")
    except ChannelError as error:
        handler.answer_error(error)
        return
    handler._auto_finish = False
    handler.start_sse()
    door = StreamDoor(handler, exchange, single=len(query.topics) == 1)
    session = Session(handler.hub, handler.hub, handler, door, query.client)
    door.begin(session)
    subscribe(session, query)


class StreamDoor:
    """A session's stream (`session.Door`).

    Each event has a cursor as its id.  The one topic of a stream is all of its cursor, and so its events are
    the same for all clients; of more topics, only the data is.
    """

    def __init__(self, handler: DoorHandler, exchange: Exchange, single: bool) -> None:
        self._handler = handler
        self._exchange = exchange
        self._single = single
        self._session: Session | None = None
        self._held = False
        self.form = "sse" if single else "sse-data"
        self.send: Callable[[bytes], bool] = exchange.push if single else self._send_with_cursor

    def begin(self, session: Session) -> None:
        self._session = session
        self._handler._door = self
        heartbeat_of(self._handler.hub).add(self)
        if not self._exchange.push(print_event(None, retry=random.randint(*_RETRY))):
            session.pause()

    def render(self, message: Message) -> bytes:
        id = None
        if self._single and message.position.epoch:
            id = print_cursor({message.topic: message.position})
        return print_event(objects.message(message), id=id)

    def wrap(self, printed: bytes) -> bytes:
        if not self._single or self._session is None:
            return print_event(printed)
        return print_event(printed, id=self._session.cursor() or None)

    def _send_with_cursor(self, event: bytes) -> bool:
        cursor = "" if self._session is None else self._session.cursor()
        return self._exchange.push(b"id: %b\n%b" % (cursor.encode(), event) if cursor else event)

    def beat(self) -> None:
        # Who does not read is to be seen not to.
        if not self._held:
            self._exchange.push(_BEAT)

    def hold(self) -> None:
        self._held = True
        self._exchange.drained().add_done_callback(self._drained)

    def _drained(self, drained: "asyncio.Future[None]") -> None:
        if drained.exception() is None and self._session is not None:
            self._held = False
            self._session.writable()

    # ---- the end

    def overflow(self, reason: str) -> None:
        self.gone()

    def leave(self) -> None:
        """The server, or the hub, leaves: the client is to come again."""
        if self._session is not None:
            self._exchange.push(self.wrap(objects.BYE))
            self.gone()

    def gone(self) -> None:
        """The client is gone, or the stream is to end."""
        session, self._session = self._session, None
        if session is None:
            return
        self._handler._door = None
        heartbeat_of(self._handler.hub).discard(self)
        session.close()
        # The stream holds on to its door no longer.
        self.send = self._exchange.push
        self._handler.finish()
