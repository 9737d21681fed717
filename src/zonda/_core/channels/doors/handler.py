"""What handlers that let clients in have in common: hooks, hub, what a request asks for, commands by POST."""

import math
import secrets
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from zonda._core.channels import objects
from zonda._core.channels.commands import Command, check_client, id_of, load, parse, topic_of
from zonda._core.channels.errors import BadRequest, ChannelError, Forbidden, PayloadError, TopicError
from zonda._core.channels.hub import Hub
from zonda._core.channels.position import Position, parse_cursor
from zonda._core.channels.session import Session, carry_out
from zonda._core.channels.topic import check_name
from zonda._core.web.errors import HTTPError
from zonda._core.web.handler import RequestHandler
from zonda._core.web.xsrf import check_cross_origin
from zonda.log import app_log

_STATUS = {
    "bad-request": 400,
    "bad-cursor": 400,
    "too-many": 400,
    "forbidden": 403,
    "unknown-topic": 404,
    "bad-payload": 413,
}
#: JSON may write each byte of a payload as six.
_ESCAPED = 6
_ENVELOPE = 4096


class DoorHandler(RequestHandler):
    """Base class of the handlers below; define `authorize`, and `authorize_publish` if clients may publish.

    The hub is the route's: `(r"/channels", MyHandler, {"hub": hub})`, or the setting `hub`.
    """

    _hub: Hub | None = None
    #: What carries this request's session while there is one.
    _door: Any = None

    def initialize(self, hub: Hub | None = None) -> None:
        self._hub = hub

    # ---- for subclasses to define; any of these may be a coroutine

    def authorize(self, topic: str) -> Any:
        """Whether this client may subscribe to `topic`, and ask who is there.  By default nobody may.

        Asked for every subscription, also for one that goes on where it was; `current_user` and the like are
        those of the request that opened the connection.
        """
        _undefined(self, "authorize", f"subscribe to topic {topic}")

    def authorize_publish(self, topic: str, data: Any) -> Any:
        """Whether this client may publish `data` (JSON, or bytes) to `topic`.  By default nobody may."""
        _undefined(self, "authorize_publish", f"publish to topic {topic}")

    def presence_info(self, topic: str) -> Any:
        """What others are told of this client in a topic with presence: JSON; by default None, nothing."""
        return None

    def check_origin(self, origin: str) -> bool:
        """Whether a page from `origin` may come in: by default from here, and from `trusted_origins`."""
        try:
            check_cross_origin(self)
        except HTTPError:
            return False
        return True

    # ---- what doors need

    @property
    def hub(self) -> Hub:
        """The hub of the route, or of the settings."""
        hub = self._hub if self._hub is not None else self.settings.get("hub")
        if hub is None:
            raise RuntimeError(
                f"{type(self).__name__} has no hub: give it one in its route,"
                f' (r"/channels", {type(self).__name__}, {{"hub": hub}}), or in the setting "hub"'
            )
        return cast(Hub, hub)

    def client_id(self) -> str:
        """The id that the client gave itself, or one that is made for it.  Raises `BadRequest`."""
        given = self.get_query_argument("client", "")
        return check_client(given) if given else secrets.token_urlsafe(12)

    def check_source(self) -> None:
        """Raises `Forbidden` for a request from a page that `check_origin` does not take."""
        origin = self.request.headers.get("Origin")
        if origin is not None and not self.check_origin(origin):
            raise Forbidden(f"pages from {origin[:80]!r} may not come in here (check_origin)")

    def answer_error(self, error: ChannelError, topic: str = "", id: objects.Id = None) -> None:
        """Answers with an error, as one object."""
        self.set_status(_STATUS.get(error.code, 503))
        self.answer(objects.error(error, topic, id))

    def answer(self, printed: bytes) -> None:
        """Answers with JSON that is printed already."""
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(printed)

    def compute_etag(self) -> str | None:
        """None: nobody has such an answer already."""
        return None

    def on_connection_close(self) -> None:
        if self._door is not None:
            self._door.gone()

    def on_server_leave(self) -> None:
        if self._door is not None:
            self._door.leave()


def _undefined(handler: DoorHandler, hook: str, what: str) -> NoReturn:
    """Refuses what no hook allows; said in the log once for each class."""
    cls = type(handler)
    name = f"{cls.__name__}.{hook}"
    told = cls.__dict__.get("_undefined_hooks", ())
    if hook not in told:
        cls._undefined_hooks = (*told, hook)  # type: ignore[attr-defined]
        app_log.warning("%s() is not defined: nobody may do what it is asked for", name)
    raise Forbidden(f"nobody may {what}: {name}() is not defined")


# ---- what a GET asks for


@dataclass(frozen=True, slots=True)
class Query:
    """Topics to subscribe to, and where from."""

    client: str
    topics: tuple[str, ...]
    presence: frozenset[str]
    since: dict[str, Position]
    #: Seconds, for a long poll.
    wait: float
    #: What is wrong with the cursor: it is told, and everything begins anew.
    fault: ChannelError | None


def read_query(handler: DoorHandler, *, last_event_id: str = "") -> Query:
    """What the query asks for.  Raises `BadRequest`, `Forbidden`."""
    handler.check_source()
    limits = handler.hub.limits
    topics = tuple(dict.fromkeys(handler.get_query_arguments("topic")))
    if not topics:
        raise BadRequest("no topic is asked for: ?topic=NAME, several times for several")
    presence = frozenset(handler.get_query_arguments("presence"))
    if not presence <= set(topics):
        raise BadRequest("presence is asked for of a topic that is not among those of the query")
    wait = _seconds(handler.get_query_argument("wait", ""), limits.channel_poll_wait)
    since: dict[str, Position] = {}
    fault = None
    try:
        since = parse_cursor(last_event_id or handler.get_query_argument("cursor", ""), limits.channel_topics)
    except ChannelError as error:
        fault = error
    return Query(handler.client_id(), topics, presence, since, wait, fault)


def _seconds(text: str, most: float) -> float:
    if not text:
        return most
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait:
        raise BadRequest(f"wait is a number of seconds, 0 to {most:g}, not {text[:80]!r}")
    return min(wait, most)


def subscribe(session: Session, query: Query) -> list[Any]:
    """Subscribes a session to all that is asked for; the Tasks, which never fail."""
    if query.fault is not None:
        session.tell(objects.error(query.fault, "", None))
    tasks = []
    for topic in query.topics:
        try:
            check_name(topic)
        except TopicError as error:
            session.tell(objects.error(error, topic[:80], None))
            continue
        command = Command("subscribe", topic, None, query.since.get(topic), topic in query.presence)
        tasks.append(session.perform(command))
    return tasks


# ---- POST


async def post(handler: DoorHandler) -> None:
    """Carries out a command that comes as the body of a request."""
    given: dict[str, Any] = {}
    try:
        handler.check_source()
        hub = handler.hub
        client = handler.get_query_argument("client", "")
        given = load(_body(handler, hub.limits.channel_message_bytes))
        command = parse(given)
        if command.verb not in ("publish", "presence"):
            raise BadRequest(f"publish and presence are posted; {command.verb} is not")
        answer = await carry_out(command, hub, handler, check_client(client) if client else "")
    except ChannelError as error:
        handler.answer_error(error, topic_of(given), id_of(given))
    else:
        handler.answer(answer)


def _body(handler: DoorHandler, most: int) -> bytes:
    sent = handler.request.headers.get("Content-Type", "")
    if sent.partition(";")[0].strip().lower() != "application/json":
        # A form of another site can post anything but this without asking us first.
        raise BadRequest(f"Content-Type is application/json, not {sent[:80]!r}")
    body = handler.request.body
    most = most * _ESCAPED + _ENVELOPE
    if len(body) > most:
        raise PayloadError(f"a command of {len(body)} bytes: {most} are allowed")
    return body
