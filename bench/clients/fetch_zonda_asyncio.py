"""Fetches with zonda on asyncio's own loop."""

import asyncio

from fetch_zonda import main

if __name__ == "__main__":
    asyncio.run(main())
