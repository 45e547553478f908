"""Evidence 1, 11, 12, 14, 15, 22, 50: whatever the network and the server do, everybody ends with what is.

Hypothesis chooses what goes wrong, and when; afterwards each call was applied once and in
order, and each event was seen once.
"""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.faults.checks import all_is_well
from tests.faults.network import Network, networks
from tests.faults.people import Person, open_raw
from tests.faults.servers import QUICK, TORTURE, UNLIMITED, Server, serving

pytestmark = pytest.mark.usefixtures("hasty")

EXAMPLES = 300 if TORTURE else 8
WHO = st.integers(0, 2)
CALLS = st.tuples(st.just("call"), WHO, st.sampled_from(["add", "add", "add_slowly"]), st.integers(1, 6))
FAULTS = st.one_of(
    st.tuples(st.just("cut"), WHO),
    st.tuples(st.just("cut_after"), WHO, st.sampled_from(["up", "down"]), st.integers(0, 700)),
    st.tuples(st.just("delay"), WHO, st.floats(0.001, 0.05)),
    st.tuples(st.just("throttle"), WHO, st.integers(2_000, 50_000)),
    st.tuples(st.just("half_open"), WHO),
    st.tuples(st.just("resend"), WHO),
    st.tuples(st.just("duplicate"), WHO),
    st.tuples(st.just("reload"), WHO),
    st.tuples(st.just("second_tab"), WHO),
    st.tuples(st.just("heal"), WHO),
    st.tuples(st.just("restart"), st.sampled_from([signal.SIGTERM, signal.SIGKILL])),
)
PLANS = st.lists(st.one_of(CALLS, FAULTS), min_size=6, max_size=18)


class Story:
    """A few participants, what happens to them, and what must be true in the end."""

    def __init__(self, server: Server, lines: list[Network], people: list[Person], stack: AsyncExitStack) -> None:
        self.server = server
        self.lines = lines
        self.people = people  # the first three have a network each; second tabs come after them
        self._stack = stack
        self._restarting: asyncio.Task[None] | None = None

    async def happen(self, what: str, *details: Any) -> None:
        await getattr(self, what)(*details)

    async def call(self, who: int, method: str, count: int) -> None:
        for person in [self.people[who], *(p for p in self.people[3:] if p.player == who + 1)]:
            for _ in range(count):
                person.ask(method)
        await asyncio.sleep(0)

    async def cut(self, who: int) -> None:
        self.lines[who].cut()

    async def cut_after(self, who: int, direction: Any, count: int) -> None:
        self.lines[who].cut_after(direction, count)

    async def delay(self, who: int, seconds: float) -> None:
        self.lines[who].delay(seconds)

    async def throttle(self, who: int, rate: int) -> None:
        self.lines[who].throttle(rate)

    async def half_open(self, who: int) -> None:
        self.lines[who].swallow()

    async def heal(self, who: int) -> None:
        self.lines[who].heal()

    async def resend(self, who: int) -> None:
        """The connection is lost; the browser comes back and sends again what has not settled."""
        await self.people[who].now.drop()

    async def duplicate(self, who: int) -> None:
        """Another connection of the same document says all that this one has to say, and is gone."""
        person, line = self.people[who], self.lines[who]
        await self._running()
        line.close()
        line.cut()
        await person.now.until(lambda: person.now._socket is None)
        twin = await open_raw(self.server, path=person.path)
        await twin.say(person.now._hello())
        await twin.message("welcome")
        for n, (method, arguments) in sorted(person.now._mine.calls.items()):
            await twin.say({"type": "call", "n": n, "method": method, "args": json.loads(arguments)})
        twin.socket.transport.abort()
        line.heal()

    async def reload(self, who: int) -> None:
        await self._running()
        await self.people[who].reload(connected=False)

    async def second_tab(self, who: int) -> None:
        if sum(p.player == who + 1 for p in self.people) > 2:
            return
        await self._running()
        name = f"p{who + 1}.{len(self.people)}"
        person = Person(self.server, who + 1, self.lines[who].port, name)
        self.people.append(await self._stack.enter_async_context(person))

    async def restart(self, how: signal.Signals) -> None:
        """What else happens goes on meanwhile."""
        await self._running()
        self._restarting = asyncio.create_task(self.server.restart(how))

    async def _running(self) -> None:
        if self._restarting is not None:
            await self._restarting
            self._restarting = None

    async def end(self) -> None:
        await self._running()
        for line in self.lines:
            line.heal()
        items = await all_is_well(self.server, self.people)
        # And a page that is loaded now shows the same.
        fresh = await self._stack.enter_async_context(Person(self.server, 1, name="afterwards"))
        assert fresh.view == items


async def tell(plan: list[tuple[Any, ...]], server: Server) -> None:
    async with AsyncExitStack() as stack:
        lines = await stack.enter_async_context(networks(server.port, 3))
        people = [
            await stack.enter_async_context(Person(server, number + 1, line.port)) for number, line in enumerate(lines)
        ]
        story = Story(server, lines, people, stack)
        for happening in plan:
            await story.happen(*happening)
        await story.end()


@pytest.mark.torture
@settings(
    max_examples=EXAMPLES,
    derandomize=not TORTURE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=(Phase.explicit, Phase.generate),  # shrinking would start hundreds of servers
)
@given(plan=PLANS)
def test_evidence_11_12_14_nothing_is_lost_doubled_or_out_of_order_whatever_the_network_does(
    tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[Any, ...]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("story")
    with serving(folder, 3, settings={**QUICK, **UNLIMITED}) as server:
        asyncio.run(tell(plan, server))
        assert server.complaints() == ""
        server.stop()
        server.verify()
