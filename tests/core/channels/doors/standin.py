"""A stand-in for a server of channels: docs/channels-protocol.md by hand, and faults on demand.

Topics whose name begins with `live` have no history; of the others everything is kept.
"""

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

from zonda.httpserver import HTTPServer
from zonda.web import Application, RequestHandler
from zonda.websocket import WebSocketHandler


class Standin:
    def __init__(self) -> None:
        #: "refuse" or "silent", by the name of a transport.
        self.faults: dict[str, str] = {}
        #: What was asked for: name of the transport, and the query or the command.
        self.asked: list[tuple[str, dict[str, Any]]] = []
        #: Publications that are done, and whose client is cut off in place of an answer.
        self.unanswered = 0
        #: Subscriptions, and other commands, that are answered "unavailable".
        self.unavailable = 0
        self.unavailable_commands = 0
        #: All messages are sent twice.
        self.twice = False
        #: Topics that nobody may subscribe to.
        self.forbidden: set[str] = set()
        #: POSTs are answered so by somebody in between.
        self.post_status = 0
        self.epoch = "e1"
        self.histories: dict[str, list[dict[str, Any]]] = {}
        self.keys: dict[str, str] = {}
        self.listeners: set[Listener] = set()
        self.port = 0

    # ---- topics

    def publish(self, topic: str, data: Any, key: str | None = None) -> str:
        if key is not None and key in self.keys:
            return self.keys[key]
        body = {"base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else {"data": data}
        message = {"topic": topic, **body}
        if not topic.startswith("live"):
            history = self.histories.setdefault(topic, [])
            history.append(message)
            message["position"] = self.top(topic)
        if key is not None:
            self.keys[key] = message.get("position", "")
        for listener in list(self.listeners):
            if topic in listener.topics:
                listener.tell(message)
                if self.twice:
                    listener.tell(message)
        return str(message.get("position", ""))

    def top(self, topic: str) -> str:
        return "" if topic.startswith("live") else f"{self.epoch}:{len(self.histories.get(topic, []))}"

    def tell(self, topic: str, told: dict[str, Any]) -> None:
        """An object, to all who listen to a topic."""
        for listener in list(self.listeners):
            if topic in listener.topics:
                listener.tell({"topic": topic, **told})

    def lose(self) -> None:
        """All history is lost."""
        self.epoch = f"e{int(self.epoch[1:]) + 1}"
        self.histories.clear()

    def cut(self) -> None:
        """Cuts all connections that somebody listens on."""
        while self.listeners:
            self.listeners.pop().abort()

    def leave(self) -> None:
        while self.listeners:
            self.listeners.pop().bye()

    def commands(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        return [(way, what) for way, what in self.asked if kind in what]

    # ---- what clients ask for

    def subscribe(self, listener: "Listener", topic: str, since: str | None, presence: bool, id: Any) -> None:
        answer = {} if id is None else {"id": id}
        if topic in self.forbidden:
            error = {"code": "forbidden", "message": f"you may not read {topic}"}
            listener.tell({"error": error, "topic": topic, **answer})
            return
        if self.unavailable:
            self.unavailable -= 1
            error = {"code": "unavailable", "message": "later"}
            listener.tell({"error": error, "topic": topic, **answer})
            return
        told: dict[str, Any] = {"subscribed": topic, **answer}
        if self.top(topic):
            told["position"] = self.top(topic)
        missed: list[dict[str, Any]] = []
        if since:
            epoch, _, offset = since.partition(":")
            told["recovered"] = epoch == self.epoch and int(offset) <= len(self.histories.get(topic, []))
            if told["recovered"]:
                missed = self.histories.get(topic, [])[int(offset) :]
        listener.topics.add(topic)
        if not (listener.quiet and since is not None and told.get("recovered", True)):
            listener.tell(told)
            if presence:
                members = [{"client": other.client, "info": None} for other in self.listeners]
                listener.tell({"presence": topic, "members": members})
        for message in missed:
            listener.tell(message)

    def command(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the connection is to be cut."""
        id = {"id": command["id"]} if "id" in command else {}
        if "ping" in command:
            return {"pong": True, **id}
        if self.unavailable_commands:
            self.unavailable_commands -= 1
            return {"error": {"code": "unavailable", "message": "later"}, **id}
        if "presence" in command:
            members = [{"client": one.client, "info": None} for one in self.listeners]
            return {"presence": command["presence"], "members": members, **id}
        topic = command["publish"]
        if topic in self.forbidden:
            error = {"code": "forbidden", "message": f"you may not write {topic}"}
            return {"error": error, "topic": topic, **id}
        data = base64.b64decode(command["base64"]) if "base64" in command else command["data"]
        position = self.publish(topic, data, command["key"])
        if self.unanswered:
            self.unanswered -= 1
            return None
        return {"published": topic, **({"position": position} if position else {}), **id}

    # ---- serving

    def application(self, *more: Any) -> Application:
        return Application([("/channels", Door, {"standin": self}), *more])

    @contextlib.asynccontextmanager
    async def serving(self, *more: Any) -> AsyncIterator[str]:
        """Serves on a port of its own, and gives the server's URL; `more` are other routes."""
        server = HTTPServer(self.application(*more))
        listener = socket.create_server(("127.0.0.1", self.port))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        server.add_socket(listener)
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            server.stop()
            self.cut()
            await server.close_all_connections()


class Listener:
    """One client's connection."""

    quiet = False

    def __init__(self, door: "Door") -> None:
        self.door = door
        self.client = door.get_query_argument("client", "")
        self.topics: set[str] = set()
        self.ended = asyncio.Event()

    def tell(self, told: dict[str, Any]) -> None:
        raise NotImplementedError

    def bye(self) -> None:
        self.tell({"bye": True})
        self.ended.set()

    def abort(self) -> None:
        self.ended.set()
        self.door.request.connection.stream.close()


class OverWebSocket(Listener):
    def tell(self, told: dict[str, Any]) -> None:
        if self.door.ws_connection is not None and not self.door.silent:
            self.door.write_message(json.dumps(told))

    def bye(self) -> None:
        self.door.close(1001)

    def abort(self) -> None:
        if self.door.ws_connection is not None:
            self.door.ws_connection.abort()


class OverSSE(Listener):
    def tell(self, told: dict[str, Any]) -> None:
        self.door.write(f"data: {json.dumps(told)}\n\n")
        self.door.flush()


class OverPoll(Listener):
    quiet = True

    def __init__(self, door: "Door") -> None:
        super().__init__(door)
        self.messages: list[dict[str, Any]] = []
        self.something = asyncio.Event()

    def tell(self, told: dict[str, Any]) -> None:
        self.messages.append(told)
        self.something.set()

    def abort(self) -> None:
        self.something.set()
        super().abort()


class Door(WebSocketHandler):
    listener: Listener | None = None

    def initialize(self, standin: Standin) -> None:
        self.standin = standin

    def check_xsrf_cookie(self) -> None:
        pass

    @property
    def silent(self) -> bool:
        return self.standin.faults.get("websocket") == "silent"

    def query(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name in self.request.query_arguments:
            values = self.get_query_arguments(name)
            arguments[name] = values if name in ("topic", "presence") else values[0]
        return arguments

    async def get(self) -> None:
        self._auto_finish = False  # a client that is gone needs no end
        if "Upgrade" in self.request.headers:
            way = "websocket"
        else:
            way = "sse" if self.request.headers["Accept"] == "text/event-stream" else "poll"
        query = self.query()
        self.standin.asked.append((way, query))
        fault = self.standin.faults.get(way)
        if fault == "refuse":
            self.set_status(502)
            self.finish("a proxy")
        elif way == "websocket":
            await super().get()
        elif fault == "silent":
            self.listener = OverSSE(self)
            self.standin.listeners.add(self.listener)
            self.set_header("Content-Type", "text/event-stream")
            self.flush()
            await self.listener.ended.wait()
        else:
            await (self.stream(query) if way == "sse" else self.poll(query))

    # ---- WebSocket

    def open(self) -> None:
        self.listener = OverWebSocket(self)
        self.standin.listeners.add(self.listener)

    def on_message(self, message: str | bytes) -> None:
        command = json.loads(message)
        if "ping" not in command:
            self.standin.asked.append(("websocket", command))
        assert self.listener is not None
        if "subscribe" in command:
            topic, since, presence = (command.get(key) for key in ("subscribe", "since", "presence"))
            self.standin.subscribe(self.listener, topic, since, bool(presence), command.get("id"))
        elif "unsubscribe" in command:
            self.listener.topics.discard(command["unsubscribe"])
            self.listener.tell({"unsubscribed": command["unsubscribe"], "id": command.get("id")})
        else:
            answer = self.standin.command(command)
            if answer is None:
                self.listener.abort()
            else:
                self.listener.tell(answer)

    def on_close(self) -> None:
        self.standin.listeners.discard(self.listener)

    # ---- SSE

    def subscribe_all(self, listener: Listener, query: dict[str, Any]) -> None:
        self.listener = listener
        self.standin.listeners.add(listener)
        cursor = dict(part.rsplit("=", 1) for part in query.get("cursor", "").split(",") if part)
        for topic in query["topic"]:
            present = topic in query.get("presence", [])
            self.standin.subscribe(listener, topic, cursor.get(topic), present, None)

    async def stream(self, query: dict[str, Any]) -> None:
        self.set_header("Content-Type", "text/event-stream")
        listener = OverSSE(self)
        self.subscribe_all(listener, query)
        await listener.ended.wait()
        stream = self.request.connection.stream
        if stream is not None and not stream.closed():
            self.finish()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self.listener is not None:
            self.listener.ended.set()
            if isinstance(self.listener, OverPoll):
                self.listener.something.set()
            self.standin.listeners.discard(self.listener)

    def on_finish(self) -> None:
        self.standin.listeners.discard(self.listener)

    # ---- long polling

    async def poll(self, query: dict[str, Any]) -> None:
        listener = OverPoll(self)
        self.subscribe_all(listener, query)
        if float(query["wait"]):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(listener.something.wait(), float(query["wait"]))
        self.standin.listeners.discard(listener)
        if not listener.ended.is_set() or listener.messages:
            cursor = ",".join(f"{topic}={self.standin.top(topic)}" for topic in sorted(listener.topics))
            self.finish({"messages": listener.messages, "cursor": cursor})

    # ---- POST

    def post(self) -> None:
        assert self.request.headers["Content-Type"] == "application/json"
        command = json.loads(self.request.body)
        told = {**command, "client": self.get_query_argument("client")}
        if "X-XSRFToken" in self.request.headers:
            told["xsrf"] = self.request.headers["X-XSRFToken"]
        self.standin.asked.append(("post", told))
        if self.standin.post_status:
            self.set_status(self.standin.post_status)
            self.finish("a proxy")
            return
        answer = self.standin.command(command)
        if answer is None:
            self.request.connection.stream.close()
            return
        codes = {"forbidden": 403, "unavailable": 503}
        self.set_status(codes[answer["error"]["code"]] if "error" in answer else 200)
        self.finish(answer)


class Page(RequestHandler):
    """A page that shows nothing, for scripts to run in."""

    def get(self) -> None:
        self.finish("<!doctype html><title>stand-in</title><link rel=icon href=data:,>")
