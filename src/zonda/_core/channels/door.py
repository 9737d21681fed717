"""What stands around a session: what carries it, who says what it may do, and what it needs of its hub."""

from collections.abc import Awaitable
from typing import Any, Protocol

from zonda._core.base.limits import Limits

from .message import Member, Message
from .position import Position
from .subscriber import Subscriber
from .topic import Topics


class Gate(Protocol):
    """Who says what a client may do, and what others are told of it; any of these may be a coroutine."""

    def authorize(self, topic: str) -> bool | Awaitable[bool]: ...
    def authorize_publish(self, topic: str, data: Any) -> bool | Awaitable[bool]: ...
    def presence_info(self, topic: str) -> Any: ...


class Door(Protocol):
    """What carries a session to its client."""

    #: The name in `Message.forms` of what `render` makes; doors that render alike share it.
    form: str

    def send(self, rendered: Any, /) -> bool:
        """Sends what `render` or `wrap` made.

        False: the connection takes no more for now (this was taken), or it is closed.
        """

    def render(self, message: Message) -> Any:
        """A message as this door sends it; kept for all doors of the same form."""

    def wrap(self, printed: bytes) -> Any:
        """An object as this door sends it."""

    def hold(self) -> None:
        """`send` said False: `Session.writable` is to be called once the connection takes more."""

    def overflow(self, reason: str) -> None:
        """More waits than a topic of policy "close" allows: the connection is to be closed."""

    def leave(self) -> None:
        """Nothing comes any more: the hub is closed."""


class SessionHub(Protocol):
    """What a session needs of its hub."""

    limits: Limits
    topics: Topics

    async def attach(
        self, topic: str, subscriber: Subscriber, since: Position | None = None, watch: bool = False
    ) -> None: ...
    def detach(self, topic: str, subscriber: Subscriber) -> None: ...
    async def publish(self, topic: str, data: Any, *, idempotency_key: str | None = None) -> Position: ...
    async def presence(self, topic: str) -> list[Member]: ...


class Attends(Protocol):
    """Who records that a client is present: the hub, or something between."""

    async def join(self, topic: str, client: str, info: Any) -> None: ...
    def leave(self, topic: str, client: str, info: Any) -> None: ...
