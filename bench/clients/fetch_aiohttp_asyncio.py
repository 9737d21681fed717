"""Fetches with aiohttp on asyncio's own loop."""

import asyncio

from fetch_aiohttp import main

if __name__ == "__main__":
    asyncio.run(main())
