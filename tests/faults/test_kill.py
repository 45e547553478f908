"""Evidence 1, 3, 7, 9, 12: `kill -9` at a random moment under load, over and over.

Five rounds here, a hundred with `make torture`. Nothing acknowledged is lost, nothing runs twice, the digests hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from pathlib import Path

import httpx
import pytest

from tests.faults.checks import all_is_well
from tests.faults.people import Person
from tests.faults.servers import QUICK, TORTURE, UNLIMITED, Server, serving, until

pytestmark = pytest.mark.usefixtures("hasty")
ROUNDS = 100 if TORTURE else 5
PLAYERS = 5
METHODS = ("add", "add", "add", "add_slowly", "add_around")


class Load:
    """Participants who ask all the time, and others who join all the time."""

    def __init__(self, server: Server, people: list[Person], dice: random.Random, given: int) -> None:
        self._server = server
        self._people = people
        self._dice = dice
        self._working = True
        self._tasks: list[asyncio.Task[None]] = []
        self.answered = 0
        self.given = given  # so many kept events were sent
        self.joined: list[str] = []  # paths that the server has acknowledged

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._ask(person)) for person in self._people]
        self._tasks.append(asyncio.create_task(self._join()))
        return self

    async def __aexit__(self, *error: object) -> None:
        """No new calls; those that were made go on."""
        self._working = False
        await asyncio.gather(*self._tasks)

    async def _ask(self, person: Person) -> None:
        while self._working:
            methods = self._dice.choices(METHODS, k=self._dice.randint(1, 4))
            calls = [person.ask(method) for method in methods]
            if self._dice.random() < 0.3:
                self.given += 1
                calls.append(person.now.call("give", self._dice.randint(1, PLAYERS), self.given))
            await asyncio.wait(calls)
            self.answered += sum(call.exception() is None for call in calls)

    async def _join(self) -> None:
        async with httpx.AsyncClient(base_url=self._server.url, timeout=5, trust_env=False, verify=False) as browser:
            path = httpx.URL(self._server.opened["join"]).path
            while self._working:
                with contextlib.suppress(httpx.TransportError):
                    browser.cookies.clear()
                    answer = await browser.post(path)
                    if answer.status_code == 303:
                        self.joined.append(answer.headers["location"])
                await asyncio.sleep(0.02)


@pytest.mark.torture
async def test_evidence_1_12_nothing_acknowledged_is_lost_by_kill_9_under_load(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEED", random.randrange(10**9) if TORTURE else 1))
    dice = random.Random(seed)
    print(f"SEED={seed}")
    with serving(tmp_path, PLAYERS, settings={**QUICK, **UNLIMITED}) as server:
        async with contextlib.AsyncExitStack() as stack:
            people = [await stack.enter_async_context(Person(server, n + 1)) for n in range(PLAYERS)]
            joined: list[str] = []
            given = 0
            for number in range(ROUNDS):
                async with Load(server, people, dice, given) as load:
                    enough = dice.randint(1, 40)
                    await until(lambda load=load, enough=enough: load.answered >= enough)  # type: ignore[misc]
                    await asyncio.sleep(dice.random() * 0.01)  # somewhere within a commit
                    await server.restart(signal.SIGKILL)
                    if dice.random() < 0.3:  # and again, while everybody comes back
                        await server.restart(signal.SIGKILL)
                await all_is_well(server, people)
                joined += load.joined
                given = load.given
                if number % 5 == 4 or number == ROUNDS - 1:
                    server.verify()  # beside the running server
                    await everybody_is_there(server, joined)
                for person in people:
                    if dice.random() < 0.2:
                        await person.reload()
            assert len(joined) > ROUNDS / 5
            everything = sorted(n for person in people for _, n in person.given)
            assert everything == sorted(set(everything)), "a kept event was handled twice"
            assert len(everything) == given
        assert server.complaints() == ""
        server.stop()
        server.verify()


async def everybody_is_there(server: Server, joined: list[str]) -> None:
    """Who was told that they have joined, has: a player of their own."""
    assert len(set(joined)) == len(joined)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, verify=False) as browser:
        for path in joined:
            assert (await browser.get(path)).status_code == 200
