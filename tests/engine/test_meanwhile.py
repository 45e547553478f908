"""What is under way when something else comes: a group's hook moves others, a server dies, time is over, a move."""

from __future__ import annotations

import asyncio

from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import settle
from tests.engine.test_synchronizing import waiting
from tests.engine.test_waiting import grouping, pages

MOVES = """
    def after_grouping(page, group):
        ran.append([player.id for player in group.players])
        move_to_page(group.session.players.get(3), "Play")
"""


async def test_who_is_moved_by_the_hook_of_one_group_is_not_put_into_the_next(serve: Serve) -> None:
    server = await serve(grouping(MOVES, size=2), players=4)
    host = await server.host()
    for id in (1, 2, 3, 4):  # all at once, so that both groups are found at the same time
        host.attendance.opened(id, object())
    await settle()
    assert server.module.ran == [[1, 2]]
    assert await pages(server) == "Play Play Play Meet"
    assert [player.group is None for player in host.state.everybody] == [False, False, True, True]


SLOW = """
    patience = 60
    if_missing = "proceed"

    async def missing(page, one, absent):
        one.missed = one.get("missed", 0) + 1
        await gates.wait("missing")
        one.missed += 100
"""


async def test_missing_of_a_group_counts_as_run_where_the_server_died_in_it(serve: Serve, journal: Journal) -> None:
    server = await serve(waiting(SLOW, groups="[[1, 2]]"), players=2, journal=journal)
    await server.submit(1)
    await server.clock.advance(61)
    assert server.gates.waiting == ["missing"]
    await (await server.host()).durable()
    host = await server.restart(kill=True)
    await settle()
    assert await pages(server) == "End Start"
    (group,) = host.state.groups
    assert group.missed == 1


async def test_missing_of_who_finds_no_group_counts_as_run_where_the_server_died_in_it(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(grouping(SLOW, size=2), players=1, journal=journal)
    await server.opened()
    await server.clock.advance(61)
    assert server.gates.waiting == ["missing"]
    await (await server.host()).durable()
    await server.restart(kill=True)
    await server.opened()
    await settle()
    assert await pages(server) == "Play"
    assert (await server.player()).missed == 1


OVERTAKEN = '''
class Start(Page):
    """# Start"""

class Left(Page):
    """# Left"""

    async def before_once(page, player):
        await gates.wait("first")
        await gates.wait("second")

class Shown(Page):
    """# Shown"""

    async def show(page, player):
        player.asked = player.get("asked", 0) + 1
        await gates.wait("show")

page_order = [Start, Left, Shown]
'''


async def under_way(posting: asyncio.Task[object]) -> None:
    """Nobody waits for what it has begun."""
    await settle()
    posting.cancel()
    await settle()


async def test_a_hook_that_a_move_has_overtaken_does_not_say_where_a_crash_goes_on(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(OVERTAKEN, journal=journal)
    await under_way(asyncio.create_task(server.submit()))
    await server.move("Shown")
    assert server.gates.waiting == ["first", "show"]
    server.gates.open("first")
    await settle()
    assert server.gates.waiting == ["show", "second"]
    await (await server.host()).durable()
    await server.restart(kill=True)
    assert await pages(server) == "Shown"
    assert server.gates.waiting == []
    assert (await server.player()).asked == 1


FIELDS = '''
class Task(Page):
    """# Task"""

    timeout = 60

    async def fields(page, player):
        await gates.wait("fields")
        return dict(age=IntegerField(label="Age"))

    async def after_once(page, player):
        await gates.wait("after")

class End(Page):
    """# End"""

page_order = [Task, End]
'''


async def test_time_that_is_over_for_the_server_does_not_overtake_what_the_browser_has_posted_for_that(
    serve: Serve,
) -> None:
    """As after a restart, when the fields have to be asked for again: it is its own post that its browser hears of."""
    server = await serve(FIELDS)
    await server.clock.advance(60)
    data: dict[str, str | list[str]] = {"age": "41", "_touched": "age", "_timed_out": "1"}
    posting = asyncio.create_task(server.submit(data=data))
    await settle()
    assert server.gates.waiting == ["fields"]
    await server.clock.advance(4)
    server.gates.open("fields")
    await settle()
    assert server.gates.waiting == ["after"]
    assert not posting.done()
    server.gates.open("after")
    assert await posting is None
    assert await pages(server) == "End"
    assert (await server.player()).age == 41


async def test_a_submission_that_has_been_accepted_goes_on_where_its_time_is_over(serve: Serve) -> None:
    server = await serve(FIELDS)
    server.gates.open("fields")
    posting = asyncio.create_task(server.submit(data={"age": "41"}))
    await settle()
    assert server.gates.waiting == ["after"]
    host, player = await server.host(), await server.player()
    assert host.deadlines.keys("page:") == []  # nobody calls it, as it is
    host.flow.time_out(player, player._about["stay"])
    await settle()
    assert await pages(server) == "Task"
    assert not posting.done()
    server.gates.open("after")
    assert await posting is None
    assert await pages(server) == "End"
