"""One client's side of topics, whatever carries it: commands in, objects out.

A door (`doors/`) makes a session for each client, hands it what the client says, and takes what the client
is to be told.  Who may do what, a gate says: the handler that the application wrote.

While the client takes what comes, a message goes straight from the hub through `deliver` into the
connection.  Once it does not, messages wait in `Lanes`, where the policies of their topics act, and answers
beside them; and no more commands are taken than `Limits.channel_commands`.
"""

import asyncio
import base64
import hashlib
import json
from collections import deque
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from zonda.log import app_log

from . import objects
from .commands import Command, id_of, load, parse, topic_of
from .door import Attends, Door, Gate, SessionHub
from .errors import BadRequest, BrokerUnavailable, ChannelError, Forbidden, TooMany, TopicError
from .message import Event, Gap, Message
from .position import NOWHERE, Position, print_cursor
from .queue import Lanes
from .subscriber import Beginning
from .topic import Topic, Topics


class _Subscription:
    """A topic that the client has asked for."""

    __slots__ = ("command", "declared", "present")

    def __init__(self, command: Command, declared: Topic) -> None:
        self.command = command
        self.declared = declared
        #: Under which id, and with which info, the client is present.
        self.present: tuple[str, Any] | None = None


class Session:
    """`client`: the id it gave itself.  `attends`: who records its presence.

    `quiet`: for a client that asks again and again: of a subscription that goes on where it was nothing is
    told, and who is here stands in `aside`, to be told with whatever else there is.
    """

    __slots__ = (
        "_answers",
        "_attends",
        "_closed",
        "_door",
        "_form",
        "_gate",
        "_hub",
        "_last",
        "_quiet",
        "_render",
        "_room",
        "_send",
        "_subscriptions",
        "_tasks",
        "_waiting",
        "_writable",
        "aside",
        "client",
        "positions",
    )

    def __init__(
        self, hub: SessionHub, attends: Attends, gate: Gate, door: Door, client: str, *, quiet: bool = False
    ) -> None:
        self.client = client
        #: Where the client stands in each topic, once what was sent has arrived.
        self.positions: dict[str, Position] = {}
        self.aside: list[bytes] = []
        self._hub = hub
        self._attends = attends
        self._gate = gate
        self._door = door
        self._quiet = quiet
        # What `deliver` needs for each message.
        self._form = door.form
        self._render = door.render
        self._send = door.send
        self._writable = True
        self._closed = False
        self._subscriptions: dict[str, _Subscription] = {}
        self._waiting = Lanes()
        self._answers: deque[bytes] = deque()
        #: Commands under way.
        self._tasks: dict[asyncio.Task[None], Command] = {}
        #: The last command under way for each topic: those of one topic are carried out in their order.
        self._last: dict[str, asyncio.Task[None]] = {}
        #: What whoever brings commands waits for while there are too many.
        self._room: asyncio.Future[None] | None = None

    def cursor(self) -> str:
        """Where the client stands, in all topics that it was not refused."""
        return print_cursor(self.positions)

    # ---- commands

    def receive(self, text: str) -> "asyncio.Future[None] | None":
        """The client has said something.  A future: it is done when more may be said."""
        try:
            given = load(text)
        except ChannelError as error:
            self.tell(objects.error(error, "", None))
            return self._full()
        try:
            command = parse(given)
        except ChannelError as error:
            self.tell(objects.error(error, topic_of(given), id_of(given)))
            return self._full()
        if command.verb == "ping":
            self.tell(objects.pong(command.id))
        else:
            self.perform(command)
        return self._full()

    def perform(self, command: Command) -> "asyncio.Task[None]":
        """Carries a command out behind those before it on the same topic; the Task never fails."""
        before = self._last.get(command.topic)
        task = asyncio.ensure_future(self._perform(command, before))
        self._last[command.topic] = task
        self._tasks[task] = command
        task.add_done_callback(self._performed)
        return task

    async def _perform(self, command: Command, before: "asyncio.Task[None] | None") -> None:
        try:
            if before is not None:
                await asyncio.wait([before])
            if command.verb == "subscribe":
                await self._subscribe(command)
                return
            if command.verb == "unsubscribe":
                answer = self._unsubscribe(command)
            else:
                answer = await carry_out(command, self._hub, self._gate, self.client)
        except ChannelError as error:
            answer = objects.error(error, command.topic, command.id)
        finally:
            if self._last.get(command.topic) is asyncio.current_task():
                del self._last[command.topic]
        self.tell(answer)

    def _performed(self, task: "asyncio.Task[None]") -> None:
        del self._tasks[task]
        self._let_in()
        if not task.cancelled() and task.exception() is not None:
            app_log.error("Uncaught exception in a session of channels", exc_info=task.exception())

    def _full(self) -> "asyncio.Future[None] | None":
        if len(self._tasks) + len(self._answers) < self._hub.limits.channel_commands or self._closed:
            return None
        if self._room is None:
            self._room = asyncio.get_running_loop().create_future()
        return self._room

    def _let_in(self) -> None:
        if self._room is not None and self._full() is None:
            if not self._room.done():
                self._room.set_result(None)
            self._room = None

    # ---- subscriptions

    async def _subscribe(self, command: Command) -> None:
        topic = command.topic
        declared = find(self._hub.topics, topic)
        if topic in self._subscriptions:
            raise BadRequest(f"topic {topic} is subscribed to already")
        most = self._hub.limits.channel_topics
        if len(self._subscriptions) >= most:
            raise TooMany(f"{most} topics are subscribed to: no more are allowed")
        if command.presence and not declared.presence:
            raise BadRequest(f"topic {topic} has no presence")
        subscription = self._subscriptions[topic] = _Subscription(command, declared)
        if command.since is not None:
            self.positions[topic] = command.since
        try:
            await check(self._gate.authorize, topic)
            if declared.presence:
                await self._join(topic, subscription)
            # `NOWHERE` is what cursors say of a topic without history.
            since = command.since if command.since != NOWHERE else None
            await self._hub.attach(topic, self, since, command.presence)
        except BaseException as error:
            if not self._closed:
                self._forget(topic)
                if not isinstance(error, BrokerUnavailable):
                    self.positions.pop(topic, None)
            raise

    async def _join(self, topic: str, subscription: _Subscription) -> None:
        info = await asked(self._gate.presence_info, topic)
        shown = shown_id(self.client, info)
        subscription.present = shown, info
        try:
            await self._attends.join(topic, shown, info)
        except BrokerUnavailable:
            pass  # it is recorded as soon as that can be done

    def _unsubscribe(self, command: Command) -> bytes:
        topic = command.topic
        if topic not in self._subscriptions:
            raise BadRequest(f"topic {topic} is not subscribed to")
        self._forget(topic)
        self.positions.pop(topic, None)
        return objects.unsubscribed(topic, command.id)

    def _forget(self, topic: str) -> None:
        subscription = self._subscriptions.pop(topic)
        self._hub.detach(topic, self)
        self._waiting.discard(topic)
        if subscription.present is not None:
            self._attends.leave(topic, *subscription.present)

    # ---- what the hub calls (`subscriber.Subscriber`)

    def begin(self, beginning: Beginning) -> None:
        topic = beginning.topic
        subscription = self._subscriptions[topic]
        command = subscription.command
        # Until what was missed has been sent, the client stands where it stood.
        if not beginning.missed:
            self.positions[topic] = beginning.position
        silent = self._quiet and (beginning.recovered or command.since == NOWHERE)
        if not silent:
            self.tell(objects.subscribed(topic, beginning.position, beginning.recovered, command.id))
        if beginning.members is not None:
            members = objects.presence(topic, beginning.members, None)
            if silent:
                self.aside.append(members)
            else:
                self.tell(members)
        for message in beginning.missed:
            if self._writable:
                self.deliver(message)
            else:
                self._waiting.push(message, subscription.declared)

    def deliver(self, event: Event) -> None:
        if not self._writable:
            self._let_wait(event)
        elif type(event) is Message:
            # No call but what sends it: of this there is one for each message and subscriber.
            forms = event.forms
            rendered = forms.get(self._form)
            if rendered is None:
                rendered = forms[self._form] = self._render(event)
            if event.position.epoch:
                self.positions[event.topic] = event.position
            if not self._send(rendered):
                self._hold()
        else:
            self._carry(event)

    def ended(self) -> None:
        if not self._closed:
            self.close()
            self._door.leave()

    # ---- what the door calls

    def tell(self, printed: bytes) -> None:
        """Tells the client something, before the messages that wait."""
        if self._closed:
            return
        if not self._writable:
            self._answers.append(printed)
        elif not self._send(self._door.wrap(printed)):
            self._hold()

    def pause(self) -> None:
        """The connection takes no more for now."""
        if not self._closed:
            self._hold()

    def writable(self) -> None:
        """The connection takes more."""
        if self._closed:
            return
        self._writable = True
        while self._writable and self._answers:
            self.tell(self._answers.popleft())
        while self._writable and self._waiting:
            self._carry(self._waiting.take())
        self._let_in()

    def close(self) -> None:
        """The client is gone, or is to go.  What it has published is published all the same."""
        if self._closed:
            return
        self._closed = True
        self._writable = False
        for task, command in self._tasks.items():
            if command.verb != "publish":
                task.cancel()
        for topic in list(self._subscriptions):
            self._forget(topic)
        self._answers.clear()
        self._waiting.clear()
        self._let_in()

    # ---- a slow client

    def _hold(self) -> None:
        self._writable = False
        self._door.hold()

    def _let_wait(self, event: Event) -> None:
        subscription = self._subscriptions.get(event.topic)
        if subscription is None or self._waiting.put(event, subscription.declared):
            return
        self.close()
        self._door.overflow(
            f"too slow: over {subscription.declared.queue_bytes} bytes of {event.topic} waited"
        )

    def _carry(self, event: Event) -> None:
        """Sends something while the connection takes it."""
        if isinstance(event, Message):
            self.deliver(event)
            return
        if isinstance(event, Gap) and event.position.epoch:
            self.positions[event.topic] = event.position
        self.tell(objects.event(event))


# ---- what needs no subscription


async def carry_out(command: Command, hub: SessionHub, gate: Gate, client: str) -> bytes:
    """Publishes, or asks who is here; the answer.  Raises `ChannelError`."""
    topic = command.topic
    find(hub.topics, topic)
    if command.verb == "publish":
        await check(gate.authorize_publish, topic, command.data)
        # Of each client its own: neither another's nor the application's is the same by accident.
        key = None if command.key is None else f"@{client}/{command.key}"
        position = await hub.publish(topic, command.data, idempotency_key=key)
        return objects.published(topic, position, command.id)
    await check(gate.authorize, topic)
    return objects.presence(topic, await hub.presence(topic), command.id)


def find(topics: Topics, name: str) -> Topic:
    """The topic that a client asks for.  Raises `TopicError`, which does not say what others there are."""
    try:
        return topics.find(name)
    except TopicError:
        raise TopicError(f"there is no topic {name}") from None


async def check(hook: Callable[..., Any], topic: str, *data: Any) -> None:
    """Asks a gate whether something is allowed.  Raises `Forbidden`."""
    if not await asked(hook, topic, *data):
        verb = "publish to" if data else "subscribe to"
        raise Forbidden(f"you may not {verb} topic {topic}")


async def asked(hook: Callable[..., Any], *args: Any) -> Any:
    """What a gate's hook says.  What goes wrong in it is logged, and the client told that it did."""
    try:
        answer = hook(*args)
        return await answer if isawaitable(answer) else answer
    except ChannelError:
        raise
    except Exception as error:
        app_log.error("Uncaught exception in %s", getattr(hook, "__qualname__", hook), exc_info=True)
        raise _HookFailed("the server failed to decide on this; it is no fault of the request") from error


class _HookFailed(ChannelError):
    """A hook of the application raised something."""

    code = "unavailable"


def shown_id(client: str, info: Any) -> str:
    """The id under which others see a client.

    Where the application says something of it, a hash of that is part of the id: so nobody takes the place
    of another by taking its id.
    """
    if info is None:
        return client
    printed = json.dumps(info, sort_keys=True, separators=(",", ":")).encode()
    return f"{client}.{base64.urlsafe_b64encode(hashlib.sha256(printed).digest()[:9]).decode()}"
