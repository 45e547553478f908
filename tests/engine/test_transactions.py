"""A method that fails leaves nothing behind; what it wrote while handling the failure stays. Segment by segment."""

from __future__ import annotations

from typing import Any

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.runtime.host import Host
from tests.engine.conftest import Serve
from tests.engine.stage import Server, code_of, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def spoil(page, player):
        everything(player)
        raise ValueError("on purpose")

    @live
    async def spoil_async(page, player):
        everything(player)
        raise ValueError("on purpose")

    @live
    async def spoil_later(page, player):
        player.first = "kept"
        notify(player, player.session, "first")
        await gates.wait("later")
        everything(player)
        raise ValueError("on purpose")

    @live
    def leave(page, player):
        everything(player)
        raise SystemExit(3)

    @live
    async def leave_later(page, player):
        await gates.wait("later")
        everything(player)
        raise SystemExit(3)

    @live
    def unserialisable(page, player):
        everything(player)
        return object()

    @live
    def changed_original(page, player):
        everything(player)
        mine = [1]
        player.mine = mine
        grow(mine)

    @live
    async def changed_original_before_waiting(page, player):
        everything(player)
        mine = [1]
        player.mine = mine
        grow(mine)
        await gates.wait("later")

    @live
    def too_large(page, player):
        everything(player)
        player.big = "x" * 20_000_000

    @live
    def refuse(page, player, keep: bool = False):
        player.refused = True
        notify(player, player.session, "refused")
        raise Reject("Too late", keep=keep)

    @live
    def ok(page, player):
        return "ok"

def everything(player):
    """Every kind of write that there is."""
    session = player.session
    player.score = 99
    session.items.append(99)
    session.table["b"] = {"deep": [99]}
    session.table["a"]["deep"].append(99)
    session.members.add(99)
    del session.gone
    session.sorted.sort()
    group = create_group(session, players(session), gname="spoiled")
    group.pot = 99
    player.label = "spoiled"
    notify(player, player.session, "spoiled")
    send_to(player.session, "spoiled, kept", keep=True)
    show_message(player, "spoiled")
    spawn(background(session))
    after(1, rung, session)
    move_to_page(player, 1)
    player.rng.random()

def grow(items):
    items.append(2)

async def background(session):
    ran.append("background")
    session.items.append("background")

def rung(session):
    ran.append("rung")

class Done(Page):
    """# Done"""

def new_session(session):
    session.items = [3, 1]
    session.table = {"a": {"deep": [1]}}
    session.members = {1, 2}
    session.gone = "still here"
    session.sorted = [3, 1, 2]

page_order = [Lab, Done]
'''

IMMEDIATE = ["spoil", "spoil_async", "leave", "unserialisable", "changed_original", "too_large"]


def everything_known(host: Host) -> dict[str, bytes]:
    """All records, but those that hold nothing."""
    texts = {key: host.state.snapshot(key) for key in host.state.records}
    return {key: text for key, text in texts.items() if not text.startswith(b'{"fields":{}')}


async def nothing_remains(server: Server, before: dict[str, bytes], groups: int = 0) -> None:
    host = await server.host()
    await server.clock.advance(3)
    assert everything_known(host) == before
    assert len(host.state.groups) == groups
    assert host.state.labels == {}
    assert server.module.ran == []
    assert not host.deliveries.of(1).kept


@pytest.mark.parametrize("method", IMMEDIATE)
async def test_evidence_2_a_handler_that_wrote_and_then_raised_leaves_no_write_behind(
    serve: Serve, method: str
) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    host = await server.host()
    before = everything_known(host)

    outcome = await one.ask(method)

    assert code_of(outcome) == "error"
    await nothing_remains(server, before)
    assert one.events == two.events == []
    assert one.reloads == 0
    assert await one.ask("ok") == "ok"  # the player's lane goes on
    reloaded = everything_known(await server.restart())
    assert reloaded == before


@pytest.mark.parametrize("method", ["spoil_later", "leave_later"])
async def test_evidence_2_a_later_segment_that_fails_undoes_itself_and_nothing_else(serve: Serve, method: str) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    n = one.invoke(method)
    await settle()
    before = everything_known(await server.host())

    server.gates.open("later")
    await settle()

    assert code_of(one.settled[n]) == "error"
    await nothing_remains(server, before)
    assert two.events == (["first"] if method == "spoil_later" else [])
    player = await server.player(1)
    assert player.get("first") == ("kept" if method == "spoil_later" else None)
    assert everything_known(await server.restart()) == before


async def test_a_commit_refused_at_a_suspension_undoes_the_segment(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    before = everything_known(await server.host())
    assert code_of(await one.ask("changed_original_before_waiting")) == "error"
    await nothing_remains(server, before)
    assert server.gates.waiting == []


@pytest.mark.parametrize("keep", [False, True])
async def test_reject_undoes_unless_told_to_keep(serve: Serve, keep: bool) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)

    outcome = await one.ask("refuse", keep)

    assert (code_of(outcome), outcome["message"], outcome.get("id", "")) == ("reject", "Too late", "")
    assert (await server.player(1)).get("refused") == (True if keep else None)
    assert two.events == (["refused"] if keep else [])
    assert not (await server.host()).errors  # a refusal is no fault of the experiment
    host = await server.restart()
    assert host.state.player(1).get("refused") == (True if keep else None)


async def test_evidence_42_an_exception_in_a_live_method_is_shown_to_the_author_with_the_reference(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    outcome = await one.ask("spoil")
    (_, reference, label, what) = (await server.host()).errors[-1]
    assert outcome["id"] == reference
    assert (label, what) == ("lab/Lab.spoil", "ValueError('on purpose')")
    assert "on purpose" not in outcome["message"]
    assert reference in caplog.text
    assert "raise ValueError" in caplog.text


# ---------------------------------------------------------------- written while handling a failure

HANDLING = '''
class Lab(Page):
    """# Lab"""

    @live
    async def cleanup(page, player, wait: bool):
        player.busy = True
        try:
            player.half = 1
            notify(player, player.session, "half")
            if wait:
                await gates.wait("x")
                player.second_half = 1
            raise ValueError("on purpose")
        except ValueError:
            player.failures = player.get("failures", 0) + 1
            notify(player, player.session, "failed")
            raise
        finally:
            player.busy = False

    @live
    def translated(page, player):
        try:
            player.half = 1
            1 / 0
        except ZeroDivisionError:
            player.told = True
            send_to(player, "sorry", keep=True)
            raise Reject("It did not work")

    @live
    def swallowed_then_failed(page, player):
        try:
            1 / 0
        except ZeroDivisionError:
            player.handled = True
        raise ValueError("another one")

    @live
    def container_of_the_failed_part(page, player):
        player.fresh = []
        try:
            1 / 0
        finally:
            player.fresh.append(1)
            player.plain = "kept"

    @live
    def index_into_what_was_undone(page, player):
        player.session.items.insert(0, "undone")
        try:
            1 / 0
        finally:
            player.session.items[1] = "wrong place"
            player.plain = "kept"

    @live
    def container_of_before(page, player):
        try:
            player.half = 1
            1 / 0
        finally:
            player.session.items.append("kept")
            player.session.items.append("kept too")

    @live
    def group_in_finally(page, player):
        try:
            1 / 0
        finally:
            create_group(player.session, [player], gname="kept")

    @live
    def started_in_finally(page, player):
        try:
            spawn(task(player, "lost"))
            after(1, rung, player, "lost")
            1 / 0
        finally:
            spawn(task(player, "kept"))
            after(2, rung, player, "kept")

    @live
    def moved_in_finally(page, player):
        try:
            1 / 0
        finally:
            move_to_page(player, Done)

    @live
    def too_large_in_finally(page, player):
        try:
            1 / 0
        finally:
            player.big = "x" * 20_000_000

    @live
    def original_changed_in_finally(page, player):
        player.session.items.append("undone")
        try:
            1 / 0
        finally:
            mine = [1]
            player.mine = mine
            grow(mine)

    @live
    def original_inside_changed_in_finally(page, player):
        try:
            1 / 0
        finally:
            inner = [1]
            player.mine = []
            player.mine.append(inner)
            grow(inner)

    @live
    def original_kept_as_it_was_in_finally(page, player):
        undone = [1]
        player.undone = undone
        try:
            1 / 0
        finally:
            grow(undone)  # it is not part of the state any more
            inner = [2]
            player.mine = [1]
            player.mine.append(inner)

    @live
    def contextmanager(page, player):
        with Busy(player):
            player.half = 1
            raise Reject("no")

    @live
    def twice(page, player):
        try:
            try:
                player.half = 1
                1 / 0
            finally:
                player.inner = True
        except ZeroDivisionError as error:
            player.outer = True
            raise KeyError("translated") from error

def grow(items):
    items.append(2)

class Busy:
    def __init__(self, player):
        self.player = player
    def __enter__(self):
        self.player.busy = True
    def __exit__(self, *error):
        self.player.busy = False

async def task(player, text):
    ran.append("task " + text)

def rung(player, text):
    ran.append("rung " + text)

class Done(Page):
    """# Done"""

def new_session(session):
    session.items = [1, 2]

page_order = [Lab, Done]
'''


async def handled(serve: Serve, method: str, *arguments: Any, journal: Journal | None = None) -> tuple[Server, Any]:
    server = await serve(HANDLING, players=2, journal=journal)
    one, two = await server.opened(1), await server.opened(2)
    outcome = await one.ask(method, *arguments)
    await settle()
    live = everything_known(await server.host())
    host = await server.restart()
    assert everything_known(host) == live, "what is in memory is not what the journal says"
    assert two.sink is None
    return server, outcome


async def test_what_was_written_and_sent_while_handling_the_failure_stays(serve: Serve, journal: Journal) -> None:
    server, outcome = await handled(serve, "cleanup", False, journal=journal)
    assert code_of(outcome) == "error"
    player = await server.player()
    assert player.fields() == {"failures": 1, "busy": False}
    assert server.browsers[1].events == ["failed"]


async def test_an_original_that_was_changed_while_handling_a_failure_is_reported(serve: Serve) -> None:
    server = await serve(HANDLING)
    one = await server.opened()
    assert code_of(await one.ask("original_changed_in_finally")) == "error"
    errors = [error for _, _, _, error in (await server.host()).errors]
    assert [error.split("(")[0] for error in errors] == ["ZeroDivisionError", "OriginalChanged"]
    assert "lab.py" in errors[1]
    assert "'mine' was assigned a list" in errors[1]


async def test_what_was_written_while_handling_stays_also_after_a_suspension(serve: Serve) -> None:
    server = await serve(HANDLING)
    one = await server.opened()
    n = one.invoke("cleanup", True)
    await settle()
    assert (await server.player()).fields() == {"busy": True, "half": 1}
    server.gates.open("x")
    await settle()
    assert code_of(one.settled[n]) == "error"
    assert (await server.player()).fields() == {"busy": False, "half": 1, "failures": 1}
    assert one.events == ["half", "failed"]


@pytest.mark.parametrize(
    ("method", "fields", "code"),
    [
        ("translated", {"told": True}, "reject"),
        ("swallowed_then_failed", {}, "error"),
        ("container_of_the_failed_part", {"plain": "kept"}, "error"),
        ("index_into_what_was_undone", {"plain": "kept"}, "error"),
        ("contextmanager", {"busy": False}, "reject"),
        ("twice", {"inner": True, "outer": True}, "error"),
        ("too_large_in_finally", {}, "error"),
        ("original_changed_in_finally", {}, "error"),
        ("original_inside_changed_in_finally", {}, "error"),
        ("original_kept_as_it_was_in_finally", {"mine": [1, [2]]}, "error"),
    ],
)
async def test_cleaning_up(serve: Serve, method: str, fields: dict[str, Any], code: str) -> None:
    server, outcome = await handled(serve, method)
    assert code_of(outcome) == code
    host = await server.host()
    assert host.state.player(1).fields() == fields
    assert list(host.state.session.items) == [1, 2]
    assert bool(host.deliveries.of(1).kept) == (method == "translated")


async def test_clean_up_in_a_container_from_before(serve: Serve) -> None:
    server, _ = await handled(serve, "container_of_before")
    assert list((await server.host()).state.session.items) == [1, 2, "kept", "kept too"]
    assert (await server.player()).fields() == {}


async def test_a_group_made_while_cleaning_up(serve: Serve) -> None:
    server, _ = await handled(serve, "group_in_finally")
    player = await server.player()
    assert player.group.name == "kept"  # type: ignore[union-attr]


async def test_what_was_started_while_cleaning_up_starts(serve: Serve) -> None:
    server = await serve(HANDLING)
    one = await server.opened()
    await one.ask("started_in_finally")
    await server.clock.advance(5)
    assert server.module.ran == ["task kept", "rung kept"]


async def test_a_move_made_while_cleaning_up_moves(serve: Serve) -> None:
    server = await serve(HANDLING)
    one = await server.opened()
    await one.ask("moved_in_finally")
    await settle()
    assert (await server.player())._about["page"] == "lab/Done"
    assert one.reloads == 1
