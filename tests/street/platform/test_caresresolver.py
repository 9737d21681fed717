"""The resolver on c-ares, asking a name server of the test's own."""

import asyncio
import socket
import struct

import pytest

pycares = pytest.importorskip("pycares", reason="the extra `cares` is not installed")

from zonda.netutil import Resolver  # noqa: E402
from zonda.platform.caresresolver import CaresResolver  # noqa: E402


class NameServer(asyncio.DatagramProtocol):
    """Knows one address of `known.example`, and does not answer for anything else in `silent`."""

    silent = False

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        if self.silent:
            return
        question = data[12 : data.index(b"\0", 12) + 5]
        kind = struct.unpack("!H", question[-4:-2])[0]
        known = question.startswith(b"\5known\7example\0") and kind == 1
        found = b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, bytes([192, 0, 2, 7])) if known else b""
        flags = 0x8180 if question.startswith(b"\5known\7example\0") else 0x8183
        head = data[:2] + struct.pack("!HHHHH", flags, 1, bool(found), 0, 0)
        self.transport.sendto(head + question + found, addr)


async def asked(work, silent=False):
    """Runs `work(resolver)` where the resolver asks a server of ours."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    server.silent = silent
    resolver = CaresResolver()
    options = {"servers": ["127.0.0.1"], "udp_port": server.port, "sock_state_cb": resolver._watch}
    resolver.channel.close()
    resolver.channel = pycares.Channel(timeout=0.05, tries=2, domains=[], lookups="b", **options)
    try:
        return await asyncio.wait_for(work(resolver), 20)
    finally:
        resolver.close()
        transport.close()
        assert resolver.fds == {}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNSPEC])
def test_a_name_is_asked_for(family):
    found = asyncio.run(asked(lambda resolver: resolver.resolve("known.example", 80, family)))
    assert found == [(socket.AF_INET, ("192.0.2.7", 80))]


def test_many_at_once():
    async def work(resolver):
        return await asyncio.gather(*(resolver.resolve("known.example", port, 2) for port in range(1, 51)))

    found = asyncio.run(asked(work))
    assert [addresses[0][1][1] for addresses in found] == list(range(1, 51))


def test_a_name_that_does_not_exist():
    with pytest.raises(OSError, match=r"cannot resolve 'other\.example': .*not found"):
        asyncio.run(asked(lambda resolver: resolver.resolve("other.example", 80)))


def test_a_server_that_does_not_answer():
    with pytest.raises(OSError, match=r"cannot resolve 'known\.example': [Tt]imeout"):
        asyncio.run(asked(lambda resolver: resolver.resolve("known.example", 80), silent=True))


def test_close_ends_what_is_asked():
    async def work(resolver):
        task = asyncio.ensure_future(resolver.resolve("known.example", 80))
        await asyncio.sleep(0)
        resolver.channel.cancel()
        with pytest.raises(OSError, match="cannot resolve"):
            await task

    asyncio.run(asked(work, silent=True))


def test_nobody_waits_any_more():
    async def work(resolver):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(resolver.resolve("known.example", 80), 0)

    asyncio.run(asked(work, silent=True))


def test_it_can_be_configured():
    async def run():
        Resolver.configure("zonda.platform.caresresolver.CaresResolver")
        try:
            resolver = Resolver()
            assert type(resolver) is CaresResolver
            assert await resolver.resolve("127.0.0.1", 80) == [(socket.AF_INET, ("127.0.0.1", 80))]
            resolver.close()
        finally:
            Resolver.configure(None)

    asyncio.run(run())
