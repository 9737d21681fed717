"""Topics over a WebSocket."""

import asyncio
import json
from typing import Any

from zonda.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from .subscription import ChannelSubscription
from .transport import FAULTS, Transport


class WebSocketTransport(Transport):
    name = "websocket"

    def begin(self, beside: bool) -> None:
        self._connection: WebSocketClientConnection | None = None
        self._told: dict[str, ChannelSubscription] = {}
        #: When something was said that has to be answered.
        self._asked: float | None = None
        self._task = self.loop.create_task(self._run(beside))

    async def _run(self, beside: bool) -> None:
        request = self.owner.request([("client", self.owner.client)])
        request.url = "ws" + request.url.removeprefix("http")
        try:
            connection = self._connection = await websocket_connect(
                request, max_message_size=self.limits.websocket_message_bytes
            )
            self._ping()
            if not beside:
                self.changed()
            while (text := await connection.read_message()) is not None:
                self._asked = None
                self.ready()
                await self.hand_over(json.loads(text))
            self.end("bye" if connection.close_code == 1001 else f"WebSocket closed: {connection.close_code}")
        except FAULTS as error:
            self.end(str(error))

    def _send(self, told: str | dict[str, Any]) -> None:
        if self._asked is None:
            self._asked = self.loop.time()
        try:
            if self._connection is not None:
                self._connection.write_message(told)
        except WebSocketClosedError:
            pass  # `_run` sees it

    def _ping(self) -> None:
        self._send({"ping": True, "id": 0})

    def changed(self) -> None:
        wanted = self.owner.subscriptions
        for topic in [topic for topic, known in self._told.items() if wanted.get(topic) is not known]:
            del self._told[topic]
            self._send({"unsubscribe": topic, "id": 0})
        for topic, subscription in wanted.items():
            if topic in self._told:
                continue
            self._told[topic] = subscription
            subscription.live = False
            subscription.id = self.owner.next_id()
            told: dict[str, Any] = {"subscribe": topic, "id": subscription.id}
            if subscription.received.epoch:
                told["since"] = str(subscription.received)
            if subscription.presence:
                told["presence"] = True
            self._send(told)

    def knows(self, subscription: ChannelSubscription) -> bool:
        return self._told.get(subscription.topic) is subscription

    def forget(self, subscription: ChannelSubscription) -> None:
        self._told.pop(subscription.topic, None)

    def flush(self) -> None:
        if self.held:
            # Answers are not read either.
            self.owner.post()
            return
        for command in self.owner.commands.values():
            if command.sent_by is not self:
                command.sent_by = self
                self._send(command.text)

    def check(self) -> None:
        now = self.loop.time()
        if self.held:
            return
        if self._asked is None:
            if now - (self.heard or now) > self.limits.channel_keepalive:
                self._ping()
        elif now - self._asked > self.limits.channel_answer_timeout:
            self.end("no answer over the WebSocket")

    async def close(self) -> None:
        self.end("closed")
        self._task.cancel()
        await asyncio.wait([self._task])
        connection = self._connection
        if connection is not None:
            # Bounded by `Limits.websocket_close_timeout`.
            connection.close()
            while await connection.read_message() is not None:
                pass
