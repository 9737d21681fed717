"""Fetches with aiohttp on uvloop: one session."""

import aiohttp
import uvloop
from load import AT_ONCE, load


async def main() -> None:
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch(url: str) -> bytes:
            async with session.get(url) as response:
                return await response.read()

        await load(fetch)


if __name__ == "__main__":
    uvloop.run(main())
