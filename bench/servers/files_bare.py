"""An upload as the kernel alone takes it: recv_into, and nothing else; files_bare.py FOLDER PORT.

One client after the other, on blocking sockets; no timers, no checks, not even a limit.
"""

import os
import re
import socket
import sys

PIECE = 1 << 18


def head_of(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        if not data:
            break
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def answer(connection: socket.socket, body: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def serve(connection: socket.socket, folder: str) -> None:
    buffer = bytearray(PIECE)
    while True:
        head, rest = head_of(connection)
        if not head:
            return
        method, target, _ = head.split(b" ", 2)
        if method == b"GET":
            with open(os.path.join(folder, target.decode().removeprefix("/files/")), "rb") as file:
                answer(connection, file.read())
            continue
        announced = re.search(rb"\r\nContent-Length: (\d+)", head)
        assert announced
        size, taken = int(announced[1]), len(rest)
        while taken < size:
            taken += connection.recv_into(buffer, min(PIECE, size - taken))
        answer(connection, str(taken).encode())


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                serve(connection, folder)
