"""Authors and entries in PostgreSQL: every query of the blog, on the connections of one pool."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from zonda.locks import Semaphore
from zonda.web import HTTPError

SCHEMA = Path(__file__).parent / "schema.sql"
PATIENCE = 5.0  # seconds: for a free connection, for a new one, and for each query
MOST_CONNECTIONS = 8
PASSWORDS_AT_ONCE = 2  # each takes 16 MB and some 50 ms of a processor

_COLUMNS = "SELECT entries.*, authors.name FROM entries JOIN authors ON authors.id = entries.author"


def password_key(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


class Store:
    """What the blog keeps.  Each method raises `HTTPError(503)` while PostgreSQL cannot be reached."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self.passwords = Semaphore(PASSWORDS_AT_ONCE)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        try:
            async with self.pool.acquire(timeout=PATIENCE) as connection:
                yield connection
        # CannotConnectNow: it starts or stops. A time-out is an OSError, and so is a refused connection.
        except (
            OSError,
            asyncpg.CannotConnectNowError,
            asyncpg.AdminShutdownError,
            asyncpg.PostgresConnectionError,
            asyncpg.TooManyConnectionsError,
        ) as error:
            raise HTTPError(503, "no PostgreSQL: %s", error or type(error).__name__) from error

    async def set_up(self) -> tuple[str, str] | None:
        """Makes the tables; where there is no author, makes one, and returns its name and password."""
        async with self.connection() as connection, connection.transaction():
            await connection.execute(SCHEMA.read_text())
            if await connection.fetchval("SELECT count(*) FROM authors"):
                return None
            name, password, salt = "author", secrets.token_urlsafe(12), os.urandom(16)
            await connection.execute(
                "INSERT INTO authors (name, salt, password_key) VALUES ($1, $2, $3)",
                name,
                salt,
                password_key(password, salt),
            )
            return name, password

    async def author_by_password(self, name: str, password: str) -> int | None:
        """The id of the author with this name and password; whether the name is known takes no less time."""
        async with self.connection() as connection:
            found = await connection.fetchrow("SELECT * FROM authors WHERE name = $1", name)
        salt, expected = (found["salt"], found["password_key"]) if found else (bytes(16), bytes(64))
        async with self.passwords:
            key = await asyncio.to_thread(password_key, password, salt)
        return found["id"] if found and hmac.compare_digest(key, expected) else None

    async def author(self, author: int) -> Any:
        async with self.connection() as connection:
            return await connection.fetchrow("SELECT id, name FROM authors WHERE id = $1", author)

    async def entry(self, entry: int) -> Any:
        async with self.connection() as connection:
            return await connection.fetchrow(f"{_COLUMNS} WHERE entries.id = $1", entry)

    async def entries(self, before: int | None, count: int) -> list[Any]:
        """The newest `count` entries, of those older than `before` if that is given."""
        query = f"{_COLUMNS} WHERE $1::integer IS NULL OR entries.id < $1 ORDER BY entries.id DESC LIMIT $2"
        async with self.connection() as connection:
            return await connection.fetch(query, before, count)

    async def publish(self, author: int, title: str, body: str) -> int:
        query = "INSERT INTO entries (author, title, body) VALUES ($1, $2, $3) RETURNING id"
        async with self.connection() as connection:
            return await connection.fetchval(query, author, title, body)

    async def change(self, author: int, entry: int, title: str, body: str) -> bool:
        """False where the author has no such entry."""
        query = """UPDATE entries SET title = $3, body = $4, changed = now()
            WHERE id = $2 AND author = $1 RETURNING true"""
        async with self.connection() as connection:
            return bool(await connection.fetchval(query, author, entry, title, body))
