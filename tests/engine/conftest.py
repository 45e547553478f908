"""Starts servers for the tests of the engine, and ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from tests.engine.stage import Server

Serve = Callable[..., Awaitable[Server]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """`await serve(source, players=2)`: a running server with one session, ended with the test."""
    servers: list[Server] = []

    async def serve(source: str, *, players: int = 1, journal: Journal | None = None, **options: Any) -> Server:
        server = Server(tmp_path, source, journal, **options)
        await server.start()
        servers.append(server)
        await server.create(players)
        return server

    yield serve
    for server in servers:
        if isinstance(server.journal, MemoryJournal):
            await server.crash()
        else:
            await server.stop()


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Journal:
    """Each of the journals."""
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "journal.sqlite3")
