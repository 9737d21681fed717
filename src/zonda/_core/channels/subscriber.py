"""Who gets what comes on a topic, in this process: an `async for` loop, or the session of a client."""

from dataclasses import dataclass
from typing import Protocol

from .message import Event, Member, Message
from .position import Position


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a subscription begins.

    `position`: the newest message that is known (`NOWHERE` without history), those of `missed` included.
    `recovered`: None where no position was asked for; True: `missed` is all that came behind it; False:
    some of that is lost, and none is given.  `members`: who is here, where presence was asked for.
    """

    topic: str
    position: Position
    recovered: bool | None
    missed: list[Message]
    members: list[Member] | None


class Subscriber(Protocol):
    """Called on the hub's loop; must neither wait nor raise.

    A subscriber that cannot take what comes keeps it in a `queue.Lanes`, where the topic's policy acts.
    It may detach itself in any of these calls.
    """

    def begin(self, beginning: Beginning) -> None:
        """The subscription has begun: everything behind `beginning.position` is delivered from here on."""

    def deliver(self, event: Event) -> None:
        """Something has come.  Messages of a topic with history come in their order, none twice, none
        missing but behind a `Gap`.  The same object goes to all subscribers."""

    def ended(self) -> None:
        """The hub is closed; nothing comes any more."""
