"""What stands where something comes between two parts of a hook: a crash, a failure, a deadline, somebody's move."""

from __future__ import annotations

import asyncio
import logging

import pytest

from promptgrimoire.errors import Refused
from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle


async def where(server: Server, id: int = 1) -> str:
    page: str = (await server.player(id))._about["page"]
    return page.partition("/")[2]


async def submitted(server: Server) -> None:
    """The participant presses Next; what that leads to may still be under way."""
    posting = asyncio.ensure_future(server.submit())
    await settle()
    await (await server.host()).durable()
    posting.cancel()
    await settle()


# ------------------------------------------------------------------ crashes and failures

ENTERING = '''
class First(Page):
    """# First"""

class Second(Page):
    """# Second"""

    def early(page, player, request):
        player.asked_early = player.get("asked_early", 0) + 1

    def show(page, player):
        player.asked_to_show = player.get("asked_to_show", 0) + 1
        return player.session.get("shows", True)

    async def {hook}(page, player):
        await gates.wait("hook")
        if player.session.get("broken"):
            raise RuntimeError("no")

class Third(Page):
    """# Third"""

page_order = [First, Second, Third]
'''


@pytest.mark.parametrize("way", ["crash", "failure"])
async def test_what_early_and_show_have_done_is_not_done_again(serve: Serve, journal: Journal, way: str) -> None:
    server = await serve(ENTERING.format(hook="before_once"), journal=journal)
    await server.opened()
    await submitted(server)
    if way == "crash":
        await server.restart(kill=True)
    else:
        session = (await server.host()).state.session
        await server.act(lambda: setattr(session, "broken", True))
        server.gates.open("hook")
        await settle()
        assert (await server.page()).kind == "held"
        await server.act(lambda: setattr(session, "broken", False))
        host = await server.host()
        await host.flow.retry(host.state.player(1))
    server.gates.open("hook")
    await settle()
    player = await server.player()
    assert (await where(server), player.asked_early, player.asked_to_show) == ("Second", 1, 1)
    await server.move("First")
    await server.move("Second")
    assert (player.asked_early, player.asked_to_show) == (2, 2)


async def test_a_page_that_is_not_shown_stays_so_after_a_crash(serve: Serve, journal: Journal) -> None:
    server = await serve(ENTERING.format(hook="after_always_once"), journal=journal)
    session = (await server.host()).state.session
    await server.act(lambda: setattr(session, "shows", False))
    await server.opened()
    await submitted(server)
    await server.restart(kill=True)
    session = (await server.host()).state.session
    assert (await where(server), (await server.player()).asked_to_show) == ("Third", 1)


async def test_who_was_moved_away_meanwhile_is_asked_anew(serve: Serve) -> None:
    server = await serve(ENTERING.format(hook="before_once"))
    await server.opened()
    await submitted(server)
    await server.move("Third")
    await server.move("Second")
    server.gates.open("hook")
    await settle()
    player = await server.player()
    assert (await where(server), player.asked_early, player.asked_to_show) == ("Second", 2, 2)


async def test_the_admin_is_told_of_a_hook_that_counts_as_run(
    serve: Serve, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(ENTERING.format(hook="before_once"), journal=journal)
    await server.opened()
    await submitted(server)
    with caplog.at_level(logging.WARNING):
        await server.restart(kill=True)
    assert "before_once of lab/Second was interrupted when the server stopped" in caplog.text


# ------------------------------------------------------------------ deadlines

TIMED = '''
class Timed(Page):
    """# Timed"""

    timeout = 60

    def timeout_reached(page, player):
        player.late = player.get("late", 0) + 1

    async def after_once(page, player):
        await gates.wait("hook")
        if player.session.get("broken", False):
            raise RuntimeError("no")

class Free(Page):
    """# Free"""

page_order = [Timed, Free]
'''


async def test_a_page_that_could_not_be_left_is_over_in_time_all_the_same(serve: Serve, journal: Journal) -> None:
    server = await serve(TIMED, journal=journal)
    session = (await server.host()).state.session
    await server.act(lambda: setattr(session, "broken", True))
    await server.opened()
    await submitted(server)
    server.gates.open("hook")
    await settle()
    assert await where(server) == "Timed"
    await (await server.host()).durable()
    await server.restart(kill=True)
    session = (await server.host()).state.session
    await server.act(lambda: setattr(session, "broken", False))
    await server.clock.advance(100)
    assert (await where(server), (await server.player()).late) == ("Free", 1)


@pytest.mark.parametrize("way", ["crash", "failure"])
async def test_timeout_reached_runs_once_for_each_stay(serve: Serve, journal: Journal, way: str) -> None:
    server = await serve(TIMED, journal=journal)
    await server.opened()
    await server.clock.advance(70)
    await (await server.host()).durable()
    if way == "crash":
        await server.restart(kill=True)
    else:
        session = (await server.host()).state.session
        await server.act(lambda: setattr(session, "broken", True))
        server.gates.open("hook")
        await settle()
        await server.act(lambda: setattr(session, "broken", False))
        host = await server.host()
        await host.flow.retry(host.state.player(1))
    server.gates.open("hook")
    await settle()
    player = await server.player()
    assert (await where(server), player.late) == ("Free", 1)
    await server.move("Timed")
    await server.clock.advance(100)
    assert (await where(server), player.late) == ("Free", 2)


# ------------------------------------------------------------------ moves

GROUPING = '''
class Meet(GroupCreatingWait):
    group_size = 2

    async def after_grouping(page, group):
        await gates.wait("hook")
        if group.session.get("broken", False):
            raise RuntimeError("no")

class Play(Page):
    """# Play"""

class Together(SynchronizingWait):
    pass

class End(Page):
    """# End"""

page_order = [Meet, Play, Together, End]
'''


async def test_who_waits_elsewhere_by_now_is_not_released_there(serve: Serve) -> None:
    server = await serve(GROUPING, players=2)
    for id in (1, 2):
        await server.opened(id)
    await settle()
    await server.move("Together", 1)
    server.gates.open("hook")
    await settle()
    assert [await where(server, id) for id in (1, 2)] == ["Together", "Play"]
    await server.submit(2)
    await settle()
    assert [await where(server, id) for id in (1, 2)] == ["End", "End"]


async def test_a_failure_holds_up_nobody_who_is_elsewhere_by_now(serve: Serve) -> None:
    server = await serve(GROUPING, players=2)
    session = (await server.host()).state.session
    await server.act(lambda: setattr(session, "broken", True))
    for id in (1, 2):
        await server.opened(id)
    await settle()
    await server.move("Play", 1)
    server.gates.open("hook")
    await settle()
    assert [(await server.page(id)).kind for id in (1, 2)] == ["page", "held"]


# ------------------------------------------------------------------ pressing twice


async def test_trying_again_twice_runs_the_hooks_of_leaving_once(serve: Serve) -> None:
    server = await serve(TIMED)
    host = await server.host()
    player = host.state.player(1)
    await server.act(lambda: setattr(host.state.session, "broken", True))
    await server.opened()
    server.gates.open("hook")
    await server.clock.advance(70)
    assert player._about["held"]
    await server.act(lambda: setattr(host.state.session, "broken", False))
    server.gates.shut("hook")
    presses = [asyncio.ensure_future(host.flow.retry(player)) for _ in range(2)]
    await settle()
    assert (await where(server), server.gates.waiting) == ("Timed", ["hook"])
    server.gates.open("hook")
    await asyncio.gather(*presses)
    assert (await where(server), player.late) == ("Free", 1)


async def test_trying_again_while_a_hook_of_arriving_waits_does_not_ask_it_again(serve: Serve) -> None:
    source = """
    class Meet(GroupCreatingWait):
        group_size = 2

        async def group_by(page, player):
            await gates.wait("hook")
            ran.append(player.id)
            return 1

    page_order = [Meet]
    """
    server = await serve(source)
    host = await server.host()
    await host.flow.retry(host.state.player(1))
    server.gates.open("hook")
    await settle()
    assert server.module.ran == [1]


# ------------------------------------------------------------------ commit before tell

CHECKED = '''
class Checked(Page):
    """# Checked"""

    async def validate(page, player, data):
        await gates.wait("hook")

page_order = [Checked]
'''


async def test_that_something_is_under_way_is_told_when_it_is_durable(serve: Serve) -> None:
    server = await serve(ENTERING.format(hook="before_once"))
    host = await server.host()
    await submitted(server)
    server.journal.hold()
    await server.act(lambda: setattr(host.state.session, "shows", True))
    asking = asyncio.ensure_future(host.page(host._token(1), patience=0))
    await settle()
    assert not asking.done(), "where the player is was told before it was durable"
    server.journal.release()
    assert (await asking).kind == "moment"


async def test_that_answers_are_still_being_checked_is_told_when_it_is_durable(serve: Serve) -> None:
    server = await serve(CHECKED)
    host = await server.host()
    posting = asyncio.ensure_future(server.submit())
    await settle()
    server.journal.hold()
    await server.act(lambda: setattr(host.state.session, "shows", True))
    await server.clock.advance(host.settings.grace.submission + 1)
    assert not posting.done()
    server.journal.release()
    with pytest.raises(Refused, match="still being checked"):
        await posting
