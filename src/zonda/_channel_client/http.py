"""What SSE and long polling have in common, and long polling."""

import asyncio
import json
from typing import Any

from zonda.httpclient import HTTPRequest, HTTPResponse
from zonda.simple_httpclient import SimpleAsyncHTTPClient

from .subscription import ChannelSubscription
from .transport import FAULTS, Transport, abort, close

#: Seconds before a server that answers a poll at once, and has no news, is asked again.
_POLL_PAUSE = 1.0


class HttpTransport(Transport):
    """Topics stand in the query, commands are posted."""

    #: Bytes of one answer.
    most: int | None = None

    def begin(self, beside: bool) -> None:
        self._http = SimpleAsyncHTTPClient(force_instance=True, max_body_size=self.most)
        self._told: set[ChannelSubscription] = set()
        #: As the server wrote them, for topics that it knows.
        self._cursors: dict[ChannelSubscription, str] = {}
        #: What listens, and before it what is about to end.
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = 0.0
        self.changed()
        if not self._told:
            self.ready()

    def changed(self) -> None:
        wanted = set(self.owner.subscriptions.values())
        if wanted == self._told or self.done.done():
            return
        self._told = wanted
        for subscription in wanted:
            subscription.live = True
        self._begun, self.heard = self.loop.time(), None
        for task in self._tasks:
            task.cancel()
        task = self.loop.create_task(self._run(list(self._tasks)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, before: "list[asyncio.Task[None]]") -> None:
        if before:
            await asyncio.wait(before)
        try:
            if self._told:
                await self.listen()
        except FAULTS as error:
            self.end(str(error))
        finally:
            abort(self._http)

    async def listen(self) -> None:
        raise NotImplementedError

    def knows(self, subscription: ChannelSubscription) -> bool:
        return subscription in self._told

    def forget(self, subscription: ChannelSubscription) -> None:
        self._told.discard(subscription)
        self._cursors.pop(subscription, None)

    def get(self, accept: str, *more: tuple[str, str], **options: Any) -> HTTPRequest:
        query = [("client", self.owner.client), *more]
        cursor = []
        for subscription in self._told:
            query.append(("topic", subscription.topic))
            if subscription.presence:
                query.append(("presence", subscription.topic))
            received = subscription.received
            position = self._cursors.get(subscription, str(received) if received.epoch else None)
            if position is not None:
                cursor.append(f"{subscription.topic}={position}")
        if cursor:
            query.append(("cursor", ",".join(cursor)))
        request = self.owner.request(query, **options)
        request.headers["Accept"] = accept
        return request

    async def refused(self, code: int, body: bytes) -> None:
        """It is not what was asked for.  Raises `ValueError`."""
        try:
            told = json.loads(body)
        except ValueError:
            told = {}
        if isinstance(told, dict) and "error" in told:
            self.owner.receive(told, self)
        raise ValueError(f"HTTP {code} for topics by {self.name}")

    async def close(self) -> None:
        self.end("closed")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        await close(self._http)


class PollTransport(HttpTransport):
    name = "poll"

    async def listen(self) -> None:
        # The first one does not wait: it shows that this way is open.
        wait = 0.0
        while self._told and not self.done.done():
            begun = self.loop.time()
            request = self.get(
                "application/json",
                ("wait", f"{wait:g}"),
                request_timeout=wait + self.limits.channel_answer_timeout,
            )
            response: HTTPResponse = await self._http.fetch(request, raise_error=False)
            if response.code != 200:
                await self.refused(response.code, response.body)
            answer = json.loads(response.body)
            messages = answer["messages"]
            self.hear()
            self.ready()
            if not wait:
                self._go_on(
                    {told.get("subscribed") or ("error" in told and told.get("topic")) for told in messages}
                )
            for told in messages:
                await self.hand_over(told)
            for part in filter(None, answer["cursor"].split(",")):
                topic, _, position = part.rpartition("=")
                subscription = self.owner.subscriptions.get(topic)
                if subscription in self._told:
                    self._cursors[subscription] = position
            news = any("topic" in told and "error" not in told for told in messages)
            if wait and not news and self.loop.time() - begun < _POLL_PAUSE:
                # A server that answers at once and has nothing to say is not asked without end.
                await asyncio.sleep(_POLL_PAUSE)
            wait = self.limits.channel_poll_wait

    def _go_on(self, answered: set[Any]) -> None:
        """Of topics that go on where they were the server says nothing."""
        for subscription in self._told:
            if subscription.topic not in answered and subscription.received.epoch:
                position = str(subscription.received)
                told = {"subscribed": subscription.topic, "position": position, "recovered": True}
                subscription.take(told)
