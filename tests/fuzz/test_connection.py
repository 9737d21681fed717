"""Mutations of requests against a connection: the same answers for any cut, and one end for every request."""

import asyncio
import os
import random
import time
from typing import Any

import pytest

from tests.fuzz.test_http1 import CORPUS, LIMITS, cut, mutate
from zonda._core.link.exchange import Exchange
from zonda._core.link.http1 import Http1Connection
from zonda._core.server.keeper import ConnectionKeeper

SECONDS = float(os.environ.get("ZONDA_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("ZONDA_FUZZ_SEED", "20091110"))


class Transport(asyncio.Transport):
    """Takes all that is written, at once."""

    def __init__(self, connection: Http1Connection) -> None:
        super().__init__()
        self.connection = connection
        self.output = bytearray()
        self.ended = self.closing = self.paused = False

    def write(self, data: Any) -> None:
        assert not self.closing and not self.ended, "written behind the end"
        self.output += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    abort = close


class Site:
    """Answers each request when its body is there, in its own way: now or later, by its path."""

    def __init__(self, later: bool) -> None:
        self.later = later
        self.begun = self.answered = self.lost = 0

    def __call__(self, exchange: Exchange) -> None:
        self.begun += 1
        exchange.on_close = self._close
        if exchange.complete:
            self._answer_soon(exchange)
        else:
            exchange.on_end = lambda: self._answer_soon(exchange)

    def _close(self) -> None:
        self.lost += 1

    def _answer_soon(self, exchange: Exchange) -> None:
        if self.later:
            asyncio.get_running_loop().call_soon(self._answer, exchange)
        else:
            self._answer(exchange)

    def _answer(self, exchange: Any) -> None:
        if exchange.connection is None:
            return
        self.answered += 1
        body = f"{exchange.head.method} {exchange.head.target} {len(exchange.body)}".encode()
        exchange.respond(200, "OK", {"Content-Length": str(len(body))}, body)


def statuses_of(output: bytes) -> list[int]:
    statuses = []
    while output:
        head, empty, rest = output.partition(b"\r\n\r\n")
        assert empty and head.startswith(b"HTTP/1.1 ")
        statuses.append(int(head[9:12]))
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        # An answer to HEAD has no body; no body of ours looks like an answer.
        output = rest if rest.startswith(b"HTTP/1.1 ") or not rest else rest[length:]
    return statuses


async def talk(pieces: list[bytes], later: bool, half_close: bool) -> bytes:
    site = Site(later)
    keeper = ConnectionKeeper(site, LIMITS)
    connection = Http1Connection(keeper, asyncio.get_running_loop())
    transport = Transport(connection)
    connection.connection_made(transport)
    for piece in pieces:
        for _ in range(50):
            if not transport.paused:
                break
            await asyncio.sleep(0)
        if transport.closing:
            break
        connection.data_received(piece)
        if later:
            await asyncio.sleep(0)
    # Whatever has to be answered is answered in a few turns; `deadline` tells of what waits for more.
    for _ in range(200):
        await asyncio.sleep(0)
    if not transport.closing:
        keep_open = connection.eof_received() if half_close else False
        if keep_open:
            for _ in range(50):
                await asyncio.sleep(0)
        transport.close()
    await asyncio.sleep(0)
    assert not keeper.connections and keeper._timer is None
    assert connection.current is None
    assert site.answered + site.lost == site.begun, "an answer, or word of the end: one of them, once"
    output = bytes(transport.output).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    statuses = statuses_of(output)
    assert statuses.count(200) == site.answered
    assert all(status == 200 for status in statuses[:-1]), "nothing behind an error"
    assert not statuses or statuses[-1] in (200, 400, 413, 414, 431)
    return output


@pytest.mark.parametrize("loop", [asyncio.new_event_loop])
def test_a_connection_answers_the_same_however_it_was_cut(loop: Any) -> None:
    async def main() -> tuple[int, int]:
        rng = random.Random(SEED)
        deadline = time.monotonic() + SECONDS
        tried = errors = 0
        while time.monotonic() < deadline:
            data = mutate(rng, rng.choice(CORPUS))
            try:
                whole = await talk([data], later=False, half_close=True)
                assert await talk(cut(rng, data), later=False, half_close=False) == whole
                assert await talk(cut(rng, data), later=True, half_close=True) == whole
            except BaseException:
                print(f"input number {tried}, seed {SEED}: {data!r}")
                raise
            tried += 1
            errors += bool(whole) and statuses_of(whole)[-1] != 200
        return tried, errors

    with asyncio.Runner(loop_factory=loop) as runner:
        tried, errors = runner.run(main())
    assert tried > 100 and errors > 20, (tried, errors)
