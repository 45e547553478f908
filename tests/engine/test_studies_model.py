"""Studies at random, played at random, against a plain model of where everybody is and which hooks have run how often.

Hypothesis makes the study (nested sequences, hooks that wait or fail, pages that are skipped, Back) and what happens:
participants who post, post twice, post from stale pages; hooks that go on; servers that stop, or die with what the disk
had not taken yet. After each step the engine is what `reference.World` says, and what its journal says. A sample here,
many more with `make torture`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import tempfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptgrimoire import ids
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.runtime.flow import BACK
from promptgrimoire.runtime.host import Host
from promptgrimoire.runtime.recovery import rebuild
from tests.engine.designs import (
    NOT_YET,
    REFUSED,
    Arms,
    Design,
    ImpossibleError,
    Loop,
    Need,
    Sheet,
    Shuffled,
    Together,
    first_of,
    pages_in,
    source,
)
from tests.engine.reference import Post, World
from tests.engine.stage import Server, settle
from tests.engine.test_state_machine import compare

TORTURE = os.environ.get("GRIMOIRE_TORTURE") == "1"
EXAMPLES = 10_000 if TORTURE else 120
ENTERING = ("before_always_once", "before_once")
LEAVING = ("validate", "before_form_save", "may_proceed", "after_once", "after_always_once")
PEOPLE = 4
TURNS = 200_000  # of the event loop, within which a play is over
COMPANY = {"after_grouping", "all_here"}
VALUES = ("1", "2", str(REFUSED), str(NOT_YET), "none", "")

# -------------------------------------------------------------------- studies


@st.composite
def sheets(draw: st.DrawFn, name: str) -> Sheet:
    kind = draw(st.sampled_from(("page", "page", "page", "logic")))
    skips = draw(st.sampled_from(("", "", "", "all", "odd"))) if kind == "page" else ""
    known = {"page": [*ENTERING, *LEAVING], "logic": ["before_always_once", "after_always_once"]}[kind]
    ends = draw(st.sampled_from((0, 0, 1, 2)))
    timeout = draw(st.sampled_from((0, 0, 0, 20, 50))) if kind == "page" else 0
    hooks = set(draw(st.lists(st.sampled_from(known), unique=True)))
    hooks |= {"show"} if skips else set()
    hooks |= {"after_always_once"} if ends else set()
    hooks |= {"timeout_reached"} if timeout and draw(st.booleans()) else set()
    slow = frozenset(draw(st.lists(st.sampled_from(sorted(hooks)), unique=True, max_size=2))) if hooks else frozenset()
    takes, back = (draw(st.booleans()), draw(st.booleans())) if kind == "page" else (False, False)
    return Sheet(name, kind, frozenset(hooks) - slow, slow, takes, back, skips, ends, timeout=timeout)


@st.composite
def waits(draw: st.DrawFn, name: str) -> Sheet:
    kind, wide = draw(st.sampled_from((("meet", False), ("together", False), ("together", False), ("together", True))))
    known = [*ENTERING, "after_once", "after_always_once", "after_grouping" if kind == "meet" else "all_here"]
    hooks = set(draw(st.lists(st.sampled_from(known), unique=True)))
    slow = frozenset(draw(st.lists(st.sampled_from(sorted(hooks)), unique=True, max_size=2))) if hooks else frozenset()
    return Sheet(name, kind, frozenset(hooks) - slow, slow, wide=wide)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    names = "ABCDE"[: draw(st.integers(2, 5))]
    stops = "VWXYZ"[: draw(st.integers(0, 3))]
    pages = tuple(draw(sheets(name)) for name in names) + tuple(draw(waits(name)) for name in stops)
    number = iter(range(100))
    items = [draw(_items(names, number, 2)) for _ in range(draw(st.integers(1, 3)))]
    for name in stops:
        items.insert(draw(st.integers(0, len(items))), name)
    if draw(st.booleans()):  # everybody meets the wait pages equally often
        first = draw(st.integers(0, len(items) - 1))
        items[first:] = [Loop(99, tuple(items[first:]), draw(st.integers(1, 2)), carry=draw(st.booleans()))]
    return Design(pages, (*items, draw(st.sampled_from(names))))


def _items(names: str, number: Any, depth: int) -> st.SearchStrategy[Any]:
    leaf = st.sampled_from(names)
    return leaf if not depth else st.one_of(leaf, _sequences(names, number, depth))


@st.composite
def _sequences(draw: st.DrawFn, names: str, number: Any, depth: int) -> Any:
    items = [draw(_items(names, number, depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    kind = draw(st.sampled_from(("loop", "repeat", "random", "arms", "bracket")))
    if kind in ("loop", "repeat"):
        return Loop(next(number), tuple(items), draw(st.integers(1, 3)), kind == "repeat", draw(st.booleans()))
    if kind == "random":  # so that it can be told which of them it is
        apart: list[Any] = []
        for item in items:
            if not any(first_of(item) & first_of(other) for other in apart):
                apart.append(item)
        return Shuffled(tuple(apart))
    different = {tuple(pages_in(item)): item for item in items}
    if kind == "arms" and len(different) > 1:
        return Arms(next(number), tuple(different.values()))
    return Together(tuple(items))


# -------------------------------------------------------------------- what happens

WHO = st.integers(0, 5)
SIMPLE = st.one_of(
    st.tuples(st.just("post"), WHO, st.sampled_from(VALUES)),
    st.tuples(st.just("post"), WHO, st.just("1")),
    st.tuples(st.just("post"), WHO, st.just("1")),
    st.tuples(st.just("again"), WHO),
    st.tuples(st.just("twice"), WHO, st.sampled_from(VALUES)),
    st.tuples(st.just("and back"), WHO),
    st.tuples(st.just("stale"), WHO),
    st.tuples(st.just("post"), WHO, st.just("back")),
    st.tuples(st.just("open"), WHO),
    st.tuples(st.just("open"), WHO),
    st.tuples(st.just("breaks"), WHO, st.integers(0, 20)),
    st.tuples(st.just("retry"), WHO),
)
ACTIONS = st.one_of(
    SIMPLE,
    SIMPLE,
    SIMPLE,
    st.tuples(st.just("goes on"), WHO),
    st.tuples(st.just("connects"), WHO),
    st.tuples(st.just("leaves"), WHO),
    st.tuples(st.just("time"), st.sampled_from((3, 30, 30, 100))),
    st.tuples(st.just("look"), WHO),
    st.tuples(st.just("stop")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("dying disk"), st.integers(0, 6), st.lists(SIMPLE, min_size=1, max_size=3)),
)


class Play:
    """A study that is played, and the model of it."""

    def __init__(self, folder: Path, design: Design, players: int) -> None:
        self.design = design
        self.server = Server(folder, source(design), MemoryJournal())
        self.world = World(design, players, self.decide, self.server.clock.now())
        self.posts: list[tuple[Post, int]] = []
        self.tasks: dict[int, asyncio.Task[Any]] = {}  # posts for whose answer somebody waits
        self.frozen = False
        self.compares = True
        self.connected: dict[int, object] = {}
        self._host: Host

    async def begin(self) -> None:
        await self.server.start()
        self._host = await self.server.create(len(self.world.people))
        self.world.begin()
        await self.settled()
        for who in range(len(self.world.people) - 1):  # the last one has not come yet
            await self._connects(who)

    def decide(self, id: int, position: int, arms: int, need: Need) -> Any:
        """What the engine has drawn."""
        player = self._host.state.player(id)
        if need.kind == "arm":
            showed = player._fields.get("between_showed", ())
            if arms >= len(showed):
                raise ImpossibleError
            for number, arm in enumerate(need.options.items):
                found = [f"lab/{name}" for name in pages_in(arm)]
                if list(showed[arms]) == found:
                    return number
            raise ImpossibleError
        order = self._host.flow.route.names(player)
        if position >= len(order):
            raise ImpossibleError
        for number, item in enumerate(need.options):
            if order[position].removeprefix("lab/") in first_of(item):
                return number
        raise ImpossibleError

    # ---------------------------------------------------------------- actions

    def who(self, number: int) -> int:
        return number % len(self.world.people) + 1

    async def act(self, action: tuple[Any, ...]) -> None:
        name, *arguments = action
        await getattr(self, "_" + name.replace(" ", "_"))(*arguments)

    async def _post(self, who: int, value: str) -> None:
        id = self.who(who)
        number = len(self.posts)
        await self._submit(id, Post(number, self.world.people[id].stay, f"n{number}", value))

    async def _again(self, who: int) -> None:
        """The same submission a second time."""
        id = self.who(who)
        mine = [post for post, other in self.posts if other == id]
        if mine:
            last = mine[-1]
            await self._submit(id, Post(len(self.posts), last.stay, last.id, last.value))

    async def _twice(self, who: int, value: str) -> None:
        await self._post(who, value)
        await self._again(who)

    async def _and_back(self, who: int) -> None:
        """Next, as far as to a page with Back; then Back."""
        for _ in range(3):
            place = self.world.people[self.who(who)].place
            if place is not None and self.design.sheet(place.name).back:
                await self._post(who, "back")
            await self._post(who, "1")

    async def _stale(self, who: int) -> None:
        """A page that is open in another tab, and over, is submitted."""
        id = self.who(who)
        number = len(self.posts)
        await self._submit(id, Post(number, self.world.people[id].stay - 1, f"n{number}", "2"))

    async def _submit(self, id: int, post: Post) -> None:
        host = self._host
        player = host.state.player(id)
        ahead = player._about["stay"] - self.world.people[id].stay
        place = self.world.people[id].place
        data = {} if place is None else {f"f_{place.name}": post.value}
        if post.value == "back":
            data = {BACK: "1"}
        elif place is not None:
            data["_touched"] = f"f_{place.name}"
        submitting = self.server.submit(id, post.stay + ahead, data, submission=post.id)
        self.tasks[post.number] = asyncio.ensure_future(submitting)
        self.posts.append((post, id))
        await settle()
        self.world.post(id, post)
        await self.settled()

    async def _open(self, who: int) -> None:
        id = self.who(who)
        gate = f"p{id} {self.world.waiting(id)}"
        self.server.gates.open(gate)
        self.server.gates.shut(gate)
        await settle()
        self.world.open(id)
        await self.settled()

    async def _breaks(self, who: int, which: int) -> None:
        """From now on a hook fails; or, where one does, none."""
        place = self.world.people[self.who(who)].place
        sheets = [sheet for sheet in self.design.sheets if which >= 10 or (place and sheet.name == place.name)]
        hooks = [f"{sheet.name} {hook}" for sheet in sheets for hook in sorted(sheet.hooks - COMPANY)]
        self.world.broken = set() if self.world.broken or not hooks else {hooks[which % len(hooks)]}
        broken = list(self.world.broken)
        await self.server.act(lambda: setattr(self._host.state.session, "broken", broken))
        self.world.commit()
        await self.settled()

    async def _retry(self, who: int) -> None:
        id = self.who(who)
        if self.world.people[id].held:
            task = asyncio.ensure_future(self._host.retry(self._host._token(id)))
            await settle()
            self.world.retry(id)
            await self.settled()
            task.cancel()

    async def _goes_on(self, which: int) -> None:
        """A hook of a wait page goes on."""
        if self.world.hooks:
            hook = which % len(self.world.hooks)
            gate = f"w{self.world.hooks[hook].company or self._host.state.session.id}"
            self.server.gates.open(gate)
            self.server.gates.shut(gate)
            await settle()
            self.world.go_on(hook)
            await self.settled()

    async def _connects(self, who: int) -> None:
        id = self.who(who)
        if id not in self.connected:
            self.connected[id] = object()
            self._host.attendance.opened(id, self.connected[id])
            await settle()
            self.world.presence(id, online=True)
            await self.settled()

    async def _leaves(self, who: int) -> None:
        """Somebody closes their browser, for longer than the grace."""
        id = self.who(who)
        if id in self.connected:
            self._give_up()
            self._host.attendance.closed(id, self.connected.pop(id), "left")
            grace = self.server.settings.grace.away
            await self.server.clock.advance(grace + 0.1)
            self.world.time_is(self.server.clock.now() - 0.1)
            self.world.presence(id, online=False)
            self.world.time_is(self.server.clock.now())
            await self.settled()

    async def _time(self, seconds: float) -> None:
        """Time passes, and nobody does anything."""
        self._give_up()
        await settle()
        await self.server.clock.advance(seconds)
        self.world.time_is(self.server.clock.now())
        await self.settled()

    def _reconnect(self) -> None:
        """Whoever was there comes back at once."""
        for id, connection in self.connected.items():
            self._host.attendance.opened(id, connection)

    async def _look(self, who: int) -> None:
        """Somebody loads their page."""
        id = self.who(who)
        person = self.world.people[id]
        self._give_up()
        rendering = await self.server.page(id)
        expected = "page"
        if person.held:
            expected = "held"
        elif person.work is not None and (person.work.kind == "entering" or person.work.accepted):
            expected = "moment"
        elif person.ended:
            expected = "end"
        assert rendering.kind == expected
        self.world.time_is(self.server.clock.now())
        await self.settled()

    async def _stop(self) -> None:
        self._give_up()
        await self.server.stop()
        await self.server.start()
        self._host = await self.server.host()
        self._reconnect()
        await settle()
        self.world.crash()
        await self.settled()

    async def _crash(self) -> None:
        self._give_up()
        self._host = await self.server.restart(kill=True)
        self._reconnect()
        await settle()
        self.world.crash()
        await self.settled()

    async def _dying_disk(self, entries: int, actions: list[tuple[Any, ...]]) -> None:
        """The disk takes so many entries more and no further ones; then the server dies."""
        world, journal = self.world, self.server.journal
        self._give_up()
        world.history = [world.state()]
        take = journal.append
        left = iter(range(entries))

        def append(listener: object, row: object, description: object = None) -> None:
            if next(left, None) is not None:
                take(listener, row, description)

        journal.append = append
        self.frozen = True
        for action in actions:
            await self.act(action)
        self._give_up()
        await self.server.crash()
        del journal.append
        self.frozen = False
        await self.server.start()
        self._host = await self.server.host()
        await settle()
        problem: Exception | None = None
        for state in reversed(world.history):
            world.restore(state)
            try:
                world.crash()
                self.same()
            except (AssertionError, ImpossibleError) as error:
                problem = problem or error
            else:
                break
        else:
            raise AssertionError(f"{len(world.history)} states; {problem}")
        for id, connection in self.connected.items():
            self._host.attendance.opened(id, connection)
            await settle()
            world.presence(id, online=True)
        await self.settled()

    def _give_up(self) -> None:
        """Nobody waits for an answer any more."""
        for task in self.tasks.values():
            task.cancel()
        self.tasks.clear()
        self.world.give_up_posts()

    # ---------------------------------------------------------------- comparing

    async def settled(self) -> None:
        await settle()
        self.same()
        if not self.frozen:
            self._answers()
            if self.compares:
                await self._rebuilt()

    def seen(self) -> dict[int, dict[str, Any]]:
        found = {}
        for player in self._host.state.everybody:
            about = player._about
            found[player.id] = {
                "page": about.get("page", "").removeprefix("lab/"),
                "position": player.show_page,
                "round": player.round,
                "nested": [] if not player.round else list(player.round_nested),
                "log": list(player.log),
                "answers": {name: value for name, value in player._fields.items() if name.startswith("f_")},
                "held": bool(about.get("held")),
                "arrived": about.get("moving") is None,
                "ended": about.get("completion") == "completed" and not about.get("page"),
                "online": player.online,
                "group": None if player.group is None else player.group.id,
                "together": [] if player.group is None else player.group.get("log", []),
            }
        return found

    def same(self) -> None:
        found, expected = self.seen(), self.world.seen()
        assert set(self._host.state.session.broken) == self.world.broken
        assert self._host.state.session.get("log", []) == self.world.companies[0].log
        for id, about in expected.items():
            for name, value in about.items():
                assert found[id][name] == value, f"player {id}, {name}: found {found[id][name]!r}, expected {value!r}"

    def _answers(self) -> None:
        """Posts are answered once what they lead to is over; not before."""
        for number, task in list(self.tasks.items()):
            if task.done():
                error = task.exception()
                found = "failed" if error is not None else "moved" if task.result() is None else "refused"
                expected = self.world.outcomes.get(number, "")
                assert found == expected, f"post {number}: {found}, not {expected or 'answered'} ({error!r})"
                del self.tasks[number]
            else:
                assert self.world.people[self.posts[number][1]].work is not None

    async def _rebuilt(self) -> None:
        host = self._host
        assert host.failure is None
        await host.durable()
        state = self.server.gateway._new_state(host.id, host.study)
        compare(host, await rebuild(self.server.journal, host.id, state, host.limits))

    async def finish(self) -> None:
        """Everything goes well from here on: everybody gets to the end, but for those whose partners are too few."""
        if self.world.broken:
            await self._breaks(0, 0)
        self.compares = False
        for who in range(len(self.world.people)):
            await self._connects(who)
        for _ in range(400):
            before = self.world.state()
            for who in range(len(self.world.people)):
                person = self.world.people[self.who(who)]
                if person.held:
                    await self._retry(who)
                elif person.work is not None:
                    await self._open(who)
                else:
                    await self._post(who, "3")
            await self._goes_on(0)
            if before == self.world.state():
                break
        await self._rebuilt()
        self.world.check_who_is_left()


async def play(design: Design, players: int, actions: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one = Play(Path(folder), design, players)
        await one.begin()
        try:
            for action in actions:
                await one.act(action)
            await one.finish()
        finally:
            for task in one.tasks.values():
                task.cancel()
            await one.server.crash()


class Outside(selectors.DefaultSelector):
    """What an event loop waits for. Nothing of this comes from outside: a loop that would wait would do so for ever.

    No limit in seconds: a busy machine needs many of them for what is nothing to a quiet one.
    """

    turns = 0

    def select(self, timeout: float | None = None) -> Any:
        self.turns += 1
        if timeout is None or timeout > 0 or self.turns > TURNS:
            raise StuckError
        return super().select(timeout)


class StuckError(Exception):
    pass


def tell(design: Design, players: int, actions: list[tuple[Any, ...]]) -> None:
    logging.disable(logging.CRITICAL)
    try:
        loop = partial(asyncio.SelectorEventLoop, Outside())
        with patch.object(ids, "secrets", Random(0)), asyncio.Runner(loop_factory=loop) as runner:  # the same draws
            try:
                runner.run(play(design, players, actions))
            except StuckError:
                for task in asyncio.all_tasks(runner.get_loop()):
                    task.print_stack()
                raise
    finally:
        logging.disable(logging.NOTSET)


def page(name: str, sync: str = "", slow: str = "", **more: Any) -> Sheet:
    return Sheet(name, "page", frozenset(sync.split()), frozenset(slow.split()), **more)


# What has been found this way.
STORIES: dict[str, tuple[Design, int, list[tuple[Any, ...]]]] = {
    "what a hook wrote after it had waited was undone when a later one failed, and it did not run again": (
        Design((page("A", "after_always_once", "after_once"), page("B")), ("A", "B")),
        1,
        [("breaks", 0, 0), ("post", 0, "1"), ("open", 0), ("post", 0, "1")],
    ),
    "the same where a page is entered": (
        Design((page("A", "before_once", "before_always_once"), page("B")), ("A", "B")),
        1,
        [("breaks", 0, 1), ("open", 0), ("retry", 0)],
    ),
    "a submission that time had overtaken failed, and a crash then lost the timeout that was under way": (
        Design((page("A", "", "validate after_once", timeout=20), page("B", "", "after_once")), ("A", "B")),
        1,
        [("post", 0, "1"), ("time", 30), ("breaks", 0, 1), ("open", 0), ("crash",)],
    ),
    "what a new round had forgotten was missing altogether, instead of None, where its time ran out": (
        Design((page("A", field=True, timeout=20), page("B")), (Loop(0, ("A",), 2), "B")),
        1,
        [("post", 0, "1"), ("time", 30)],
    ),
    "an answer given between two loops with its page was forgotten when the second one began": (
        Design((page("A", field=True), page("B")), (Loop(0, ("A",), 1), "A", Loop(1, ("B", "A"), 1), "B")),
        1,
        [("post", 0, "1"), ("post", 0, "2"), ("post", 0, "3")],
    ),
    "what had been said to end a Repeat that at_most ended anyway ended the next one after its first round": (
        Design(
            (page("A", "after_always_once", ends=1), page("B")),
            (Loop(0, ("A",), 1, True), Loop(1, ("B",), 2, True), "B"),
        ),
        1,
        [("post", 0, "1"), ("post", 0, "2"), ("crash",), ("post", 0, "3")],
    ),
    "Back led behind a wait page from where others had gone on": (
        Design((page("A"), Sheet("V", "together", wide=True), page("B", back=True)), ("A", "V", "B", "B", "A")),
        2,
        [
            ("connects", 1),
            ("post", 0, "1"),
            ("post", 1, "1"),
            ("post", 1, "back"),
            ("post", 1, "1"),
            ("post", 1, "back"),
        ],
    ),
}


@pytest.mark.parametrize("wait", [asyncio.Event().wait, lambda: settle(10**9)])
def test_a_play_that_comes_to_no_end_says_so(monkeypatch: pytest.MonkeyPatch, wait: Any) -> None:
    async def stuck(*_: object) -> None:
        await wait()

    monkeypatch.setitem(globals(), "play", stuck)
    monkeypatch.setitem(globals(), "TURNS", 100)
    with pytest.raises(StuckError):
        tell(Design((page("A"),), ("A",)), 1, [])


@pytest.mark.parametrize("story", STORIES)
def test_what_went_wrong_once(story: str) -> None:
    tell(*STORIES[story])


@pytest.mark.torture
@settings(
    max_examples=EXAMPLES,
    derandomize=not TORTURE,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(design=designs(), players=st.integers(1, PEOPLE), actions=st.lists(ACTIONS, min_size=15, max_size=40))
def test_studies_go_as_the_reference_says(design: Design, players: int, actions: list[tuple[Any, ...]]) -> None:
    tell(design, players, actions)
