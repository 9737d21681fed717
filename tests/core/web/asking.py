"""Asks an application something, each time on a connection of its own."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HOST = "site.example:8000"


@dataclass
class Ask:
    """One request; `headers` are added to Host, Content-Length and Connection."""

    method: str = "GET"
    uri: str = "/"
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def to_bytes(self) -> bytes:
        fields = [("Host", HOST), ("Connection", "close"), *self.headers]
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            fields.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.uri} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.headers if field.lower() == name.lower()]

    def __getitem__(self, name: str) -> str | None:
        values = self.all(name)
        return values[-1] if values else None


def ask_all(application: Any, *asks: Ask) -> list[Answer]:
    """Serves the application, without its access log, and asks one thing after the other."""
    application.settings["log_function"] = lambda handler: None

    async def run() -> list[Answer]:
        from zonda.httpserver import HTTPServer

        server = HTTPServer(application)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        server.add_socket(listener)
        try:
            return [await _exchange(listener.getsockname(), ask) for ask in asks]
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(asyncio.wait_for(run(), 30))


def ask(application: Any, method: str = "GET", uri: str = "/", **parts: Any) -> Answer:
    return ask_all(application, Ask(method, uri, **parts))[0]


async def _exchange(address: Any, ask: Ask) -> Answer:
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(ask.to_bytes())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
        await writer.wait_closed()
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return Answer(int(status.split(" ")[1]), headers, body)
