"""Moves a body each time it is told a way: large_bodies.py PORT SIZE.

A line `download` or `upload` on standard input; the number of bytes moved on standard output.
"""

from __future__ import annotations

import os
import re
import socket
import sys

BLOCK = 1 << 20


def head_of(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65536)
        if not data:
            raise SystemExit(f"closed behind {received[:200]!r}")
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"answered {head[:200]!r}")
    return head, body


def download(connection: socket.socket, size: int) -> int:
    connection.sendall(b"GET /files/large.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head, body = head_of(connection)
    announced = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if announced is None:
        raise SystemExit(f"no Content-Length: {head!r}")
    taken = len(body)
    buffer = bytearray(BLOCK)
    while taken < int(announced[1]):
        count = connection.recv_into(buffer)
        if not count:
            break
        taken += count
    return taken


def upload(connection: socket.socket, size: int) -> int:
    connection.sendall(
        f"PUT /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {size}\r\n\r\n".encode()
    )
    block = os.urandom(BLOCK)
    for _ in range(size // BLOCK):
        connection.sendall(block)
    # nginx answers at once, and reads on: the answer to the next request tells that it is through.
    _, body = head_of(connection)
    connection.sendall(b"GET /files/hello.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head_of(connection)
    return int(body) if body.isdigit() else size


if __name__ == "__main__":
    port, size = map(int, sys.argv[1:])
    for line in sys.stdin:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(30)
            moved = {"download": download, "upload": upload}[line.strip()](connection, size)
        print(moved, flush=True)
