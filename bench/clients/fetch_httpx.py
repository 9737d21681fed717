"""Fetches with httpx: one client."""

import asyncio

import httpx
from load import AT_ONCE, load


async def main() -> None:
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits) as client:

        async def fetch(url: str) -> bytes:
            response = await client.get(url)
            return response.content

        await load(fetch)


if __name__ == "__main__":
    asyncio.run(main())
