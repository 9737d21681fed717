"""What can go wrong with topics; each error says what was seen and what is allowed."""


class ChannelError(Exception):
    """Base of the errors of channels.  `code` is the word that clients are told."""

    code = "error"


class TopicError(ChannelError, ValueError):
    """A topic's name is none, or no declared topic matches it."""

    code = "unknown-topic"


class TopicRefused(ChannelError, ValueError):
    """A topic asks for more than the broker promises; raised when the hub is made or started."""

    code = "refused"


class BadRequest(ChannelError, ValueError):
    """What a client sent is no command, or none that can be carried out now."""

    code = "bad-request"


class TooMany(ChannelError):
    """A client asks for more topics than `Limits.channel_topics`."""

    code = "too-many"


class CursorError(ChannelError, ValueError):
    """A cursor, or a position, that is none."""

    code = "bad-cursor"


class PayloadError(ChannelError, ValueError):
    """What was published is no JSON value or bytes, or larger than allowed."""

    code = "bad-payload"


class Forbidden(ChannelError):
    """Whoever asked may not do that with this topic."""

    code = "forbidden"


class BrokerUnavailable(ChannelError, ConnectionError):
    """The broker cannot be reached, or did not answer in time; `publish` may be tried again with the same
    key.
    """

    code = "unavailable"


class HubClosed(ChannelError, RuntimeError):
    """The hub is closed, or is on another event loop."""

    code = "closed"


class SlowSubscriber(ChannelError):
    """More waits for a subscriber than its topic allows, and the topic's policy is "close"."""

    code = "slow"
