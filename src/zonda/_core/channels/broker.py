"""The seam between a hub and what carries its messages to other processes.

Two modes, never mixed in one topic.  Without history a message is delivered at once by the hub that
published it, and the broker only carries it to the others (at most once).  With history the broker orders:
it gives each message its offset, and also the publisher's own subscribers get it when it comes back.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .errors import PayloadError
from .message import Member, Message
from .position import Position
from .topic import Reach, Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What a broker guarantees; a topic that asks for more is refused."""

    #: How far messages go.
    reach: Reach
    history: bool = True
    presence: bool = True
    #: History outlives the broker's own process.
    durable: bool = False
    #: `publish` knows an idempotency key again, without a history too.
    keys_without_history: bool = True
    #: Bytes of a message; None = no bound of its own.
    largest: int | None = None

    def check_size(self, body: bytes, name: str) -> None:
        """Raises `PayloadError` for a message that is too large for the broker called `name`."""
        if self.largest is not None and len(body) > self.largest:
            raise PayloadError(f"a message of {len(body)} bytes: {name} takes {self.largest}")


class Published(NamedTuple):
    """What became of a message: where it stands, and whether it was there already (by its key)."""

    position: Position
    duplicate: bool = False


class History(NamedTuple):
    """What is kept of a topic.

    `messages` in their order; `top`: the position of the newest message ever (offset 0: none so far).
    `recovered`: the messages are all there are behind the position that was asked for; False: they are not,
    and none is given.
    """

    messages: list[Message]
    top: Position
    recovered: bool = True


class Receiver(Protocol):
    """Who is told by a broker; called on the loop, must not raise."""

    node: str

    def received(self, message: Message) -> None:
        """A message of a subscribed topic.

        With history: of every publisher, this process included, in order; after an interruption some may be
        missing or come twice, and over NATS those of one moment may change places (a channel takes that for
        a hole and fetches).  Without: those of other processes.
        """

    def presence_changed(self, topic: str, joined: bool, member: Member) -> None:
        """A record of presence of a subscribed topic was made or removed, by whatever process (our own
        included).
        """

    def node_gone(self, node: str) -> None:
        """All records of presence of that node are removed."""

    def resumed(self) -> None:
        """The connection was lost and is there again, with the same subscriptions: messages may be missing,
        and our records of presence may be gone."""


class Broker(ABC):
    """Carries messages, keeps history, records presence.

    Every method that waits does so for at most `Limits.broker_timeout` seconds and then raises
    `BrokerUnavailable`.  A lost connection is made again by the broker itself, with back-off and for ever; it
    logs one warning when it is lost and one line (info) when it is back.
    """

    promises: Promises

    @abstractmethod
    async def start(self, receiver: Receiver) -> None:
        """Connects; called once, on the loop that all other calls come from.  Raises `BrokerUnavailable`."""

    @abstractmethod
    async def close(self) -> None:
        """Removes this node's records of presence if it can be done in time, and disconnects.  Not called
        twice.
        """

    @abstractmethod
    async def subscribe(self, topic: str) -> None:
        """When it returns, every message published from then on (by anybody) is received."""

    @abstractmethod
    async def unsubscribe(self, topic: str) -> None:
        """Ends it; what is under way may still be received."""

    @abstractmethod
    async def publish(
        self, topic: str, body: bytes, binary: bool, retention: Retention | None, key: str | None
    ) -> Published:
        """Carries a message to every process that is subscribed.

        With `retention` it is put into the topic's history first, and the position is its own; when this
        returns, `history` holds it.  A `key` that was used for this topic within `Limits.idempotency_ttl`
        publishes nothing and gives the earlier position.  Keys that do not begin with `=` are the hub's own,
        for tries of one publish: twice `Limits.broker_timeout` is enough for these.  If the connection is
        lost meanwhile, a publish with history is tried again under the same key (the hub always gives one
        there) until `Limits.broker_timeout`.
        """

    @abstractmethod
    async def history(
        self, topic: str, retention: Retention, since: Position | None, most: int | None = None
    ) -> History:
        """What is kept behind `since`, all or nothing; with None the newest `most` messages (None: all).

        A topic never seen has a history too: its epoch is made here and stays.  `since` of another epoch,
        before the oldest message kept, or beyond the top: `recovered` is False.
        """

    @abstractmethod
    async def join(self, topic: str, member: Member) -> None:
        """Records that `member` (whose `node` is ours) is there; again with other `info`: replaces it.

        Subscribed processes are told (`presence_changed`).
        """

    @abstractmethod
    async def leave(self, topic: str, member: Member) -> None:
        """Removes the record, and tells; nothing if there is none."""

    @abstractmethod
    async def members(self, topic: str) -> list[Member]:
        """All records of the topic, of nodes that are alive; a client on two nodes is there twice."""

    @abstractmethod
    async def forget_node(self, node: str) -> None:
        """Removes all records of a node that died; every process that takes part in presence is told
        `node_gone`.
        """

    @abstractmethod
    async def heartbeat(self) -> None:
        """Says that this node is alive; the hub calls it every third of `Limits.presence_timeout`.

        Records of a node that says nothing for `Limits.presence_timeout` are no longer in `members`.
        """
