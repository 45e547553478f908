"""A class that logs in while somebody works, against the real server. (Two hundred: tests/faults/test_crowd.py.)"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests.examples.stage import Participant, Server

SOURCE = '''
from promptgrimoire import *

class Desk(Page):
    """# Desk of {{ player.name }}"""
    @live
    def work(page, player, text: str):
        player.work.append(text)
        return len(player.work)

def new_player(player):
    player.work = []

page_order = [Desk]
'''
_JOINERS = 20  # at a time


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "desk.py").write_text(SOURCE)
    server = Server(tmp_path / "desk.py", tmp_path / "database.sqlite3", players=1)
    yield server
    log = server.stop()
    assert "ERROR" not in log
    warnings = [line for line in log.splitlines() if "WARNING" in line and "held the event loop for" not in line]
    assert warnings == []  # how slow a busy machine is is not the question here


async def join_all(server: Server, count: int, gap: float = 0.0) -> list[str]:
    """Links of `count` people with a browser each, who come `gap` seconds apart, or as fast as they can."""
    places = asyncio.Semaphore(_JOINERS)

    async def come(number: int) -> str:
        await asyncio.sleep(gap * number)
        # verify: reading certificates, for nothing, would take longer than all the rest
        async with places, httpx.AsyncClient(verify=False, timeout=20) as person:
            assert (await person.get(server.join)).status_code == 200
            answer = await person.post(server.join)
            assert answer.status_code == 303
            link = str(httpx.URL(server.url).join(answer.headers["location"]))
            assert (await person.get(link)).status_code == 200
            return link

    return await asyncio.gather(*(come(number) for number in range(count)))


async def test_evidence_38_thirty_logins_delay_nobodys_work_and_lose_none_of_it(server: Server) -> None:
    waits: list[float] = []
    async with AsyncExitStack() as stack:
        worker = await Participant.enter(server.players[0], stack)
        arriving = asyncio.create_task(join_all(server, 30, gap=0.05))  # forty times as fast as in a minute
        while not arriving.done():
            start = time.monotonic()
            assert await worker.call("work", f"line {len(waits)}") == len(waits) + 1
            waits.append(time.monotonic() - start)
            await asyncio.sleep(0.02)
        assert len(set(await arriving)) == 30
        assert len(waits) > 10
        waits.sort()
        assert waits[len(waits) // 2] < 0.5  # generous: a brown-out took minutes
        assert waits[-1] < 5
        server.kill_and_restart()
        again = await Participant.enter(server.players[0], stack)
        assert await again.call("work", "after it all") == len(waits) + 1
