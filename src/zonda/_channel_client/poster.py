"""Commands by POST."""

import asyncio
import json

from zonda.simple_httpclient import SimpleAsyncHTTPClient

from .transport import FAULTS, Command, Owner, Transport, close, pause


class Poster:
    """Sends commands by POST, one after the other, so that they stay in their order."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._http = SimpleAsyncHTTPClient(force_instance=True)
        self._task: asyncio.Task[None] | None = None

    def post(self, transport: Transport) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(transport))

    async def _run(self, transport: Transport) -> None:
        owner = self._owner
        tries = 0
        while id := next((id for id, one in owner.commands.items() if not one.answer.done()), 0):
            command = owner.commands[id]
            try:
                await self._send(id, command, transport)
            except FAULTS:
                pass  # once more, until its time is over
            tries = 0 if command.answer.done() else tries + 1
            if tries:
                await asyncio.sleep(pause(owner.limits, tries))

    async def _send(self, id: int, command: Command, transport: Transport) -> None:
        request = self._owner.request(
            [("client", self._owner.client)],
            method="POST",
            body=command.text,
            request_timeout=self._owner.limits.channel_answer_timeout,
        )
        request.headers["Content-Type"] = "application/json"
        response = await self._http.fetch(request, raise_error=False)
        try:
            told = json.loads(response.body)
            told["id"] = id
        except (ValueError, TypeError):
            # Somebody in between.
            code = "unavailable" if response.code >= 500 else "bad-request"
            if response.code == 403:
                code = "forbidden"
            told = {"error": {"code": code, "message": f"HTTP {response.code}"}, "id": id}
        self._owner.receive(told, transport)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await close(self._http)
