"""What anybody says goes to everybody, in picows (Cython) on uvloop: a loop over its transports."""

import asyncio
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

transports: dict[WSTransport, None] = {}


class Room(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        transports[transport] = None

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        del transports[transport]

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            message = frame.get_payload_as_bytes()
            for other in transports:
                other.send(WSMsgType.TEXT, message)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()


def listener(request: WSUpgradeRequest) -> WSListener:
    return Room()


async def main() -> None:
    server = await ws_create_server(listener, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
