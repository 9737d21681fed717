"""Fetches with zonda, on the loop that it makes (uvloop): fetch_tornado.py with the package renamed."""

from load import AT_ONCE, load

import zonda.httpclient
import zonda.ioloop


async def main() -> None:
    client = zonda.httpclient.AsyncHTTPClient(max_clients=AT_ONCE)

    async def fetch(url: str) -> bytes:
        response = await client.fetch(url)
        return response.body

    await load(fetch)


if __name__ == "__main__":
    zonda.ioloop.IOLoop.current().run_sync(main)
