"""The body of a static file on its way: by the kernel, or piece by piece."""

import asyncio
from collections.abc import Generator

from zonda._core.net.errors import StreamClosedError

from .compress import leaves_body
from .handler import RequestHandler
from .static_paths import open_file, read_file

#: Pieces sent to a client that takes them as fast as they come, before others get their turn.
_PIECES_IN_A_ROW = 16


def passes_unseen(handler: RequestHandler) -> bool:
    """Whether nobody wants to see the bytes pass, so that the kernel may send them."""
    exchange = handler.request._exchange
    cls = type(handler)
    return (
        exchange is not None
        and exchange is handler.request.connection
        and cls.write is RequestHandler.write
        and cls.flush is RequestHandler.flush
    )


async def send_file(handler: RequestHandler, path: str, start: int, end: int) -> None:
    """Sends the bytes `start:end` of a file: the kernel does, if no transform changes them."""
    assert handler.request._exchange is not None
    with open_file(path) as file:
        try:
            await handler.flush()
            # Only behind the head it is known whether a transform changes the body.
            if all(map(leaves_body, handler._transforms)):
                await handler.request._exchange.send_file(file, start, end - start)
                return
        except StreamClosedError:
            # The client went away: nobody is left to be told.
            return
    await send_content(handler, read_file(path, start, end), end - start)


async def send_content(
    handler: RequestHandler, content: Generator[bytes, None, None] | bytes, size: int
) -> None:
    """Sends `size` bytes of a content, at the client's pace."""
    pieces = iter((content,) if isinstance(content, bytes) else content)
    count = 0
    try:
        for piece in pieces:
            # The file may have grown since its size was announced.
            handler.write(piece[:size] if len(piece) > size else piece)
            size -= len(piece)
            await handler.flush()
            if size <= 0:
                return
            count += 1
            if count % _PIECES_IN_A_ROW == 0:
                await asyncio.sleep(0)
    except StreamClosedError:
        # The client went away: nobody is left to be told.
        return
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
