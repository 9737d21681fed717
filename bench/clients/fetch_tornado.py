"""Fetches with Tornado's simple client, on the loop that it makes (asyncio's)."""

import tornado.httpclient
import tornado.ioloop
from load import AT_ONCE, load


async def main() -> None:
    client = tornado.httpclient.AsyncHTTPClient(max_clients=AT_ONCE)

    async def fetch(url: str) -> bytes:
        response = await client.fetch(url)
        return response.body

    await load(fetch)


if __name__ == "__main__":
    tornado.ioloop.IOLoop.current().run_sync(main)
