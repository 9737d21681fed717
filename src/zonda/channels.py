"""Topics across processes and machines: the public module `zonda.channels`.  Not in Tornado."""

from zonda._channel_client.client import ChannelClient, connect
from zonda._channel_client.subscription import ChannelSubscription
from zonda._core.base.face import show
from zonda._core.channels.broker import Broker, History, Promises, Published, Receiver
from zonda._core.channels.doors.any import ChannelHandler
from zonda._core.channels.doors.longpoll import ChannelPollHandler
from zonda._core.channels.doors.script import ClientScriptHandler
from zonda._core.channels.doors.sse import ChannelSSEHandler
from zonda._core.channels.doors.websocket import ChannelWebSocketHandler
from zonda._core.channels.errors import (
    BadRequest,
    BrokerUnavailable,
    ChannelError,
    CursorError,
    Forbidden,
    HubClosed,
    PayloadError,
    SlowSubscriber,
    TooMany,
    TopicError,
    TopicRefused,
)
from zonda._core.channels.hub import Hub
from zonda._core.channels.message import Gap, Joined, Left, Member, Message
from zonda._core.channels.position import NOWHERE, Position
from zonda._core.channels.subscription import Subscription
from zonda._core.channels.topic import Retention, Topic

__all__ = [
    "NOWHERE",
    "BadRequest",
    "Broker",
    "BrokerUnavailable",
    "ChannelClient",
    "ChannelError",
    "ChannelHandler",
    "ChannelPollHandler",
    "ChannelSSEHandler",
    "ChannelSubscription",
    "ChannelWebSocketHandler",
    "ClientScriptHandler",
    "CursorError",
    "Forbidden",
    "Gap",
    "History",
    "Hub",
    "HubClosed",
    "Joined",
    "Left",
    "Member",
    "Message",
    "PayloadError",
    "Position",
    "Promises",
    "Published",
    "Receiver",
    "Retention",
    "SlowSubscriber",
    "Subscription",
    "TooMany",
    "Topic",
    "TopicError",
    "TopicRefused",
    "connect",
]

show(__name__, globals(), __all__)
