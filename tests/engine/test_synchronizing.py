"""Wait pages that release together: all_here exactly once, for everybody whom it concerns, whatever happens between."""

from __future__ import annotations

import asyncio
import logging

import pytest

from promptgrimoire.authoring.messages import add_to_group, create_group, finish, move_to_page
from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import settle
from tests.engine.test_waiting import pages, where


def waiting(
    body: str = "", groups: str = "[[1, 2], [3, 4]]", order: str = "[Start, Wait, End]", kind: str = "", more: str = ""
) -> str:
    """An app with a wait page; groups are made by hand as soon as all of their members have joined."""
    return f'''
class Start(Page):
    """# Start"""

class Wait(SynchronizingWait):
    {kind or 'synchronize = "group"'}
{body}

class End(Page):
    """# End"""
{more}

def new_player(player):
    for members in {groups}:
        if player.id == members[-1]:
            create_group(player.session, [player.session.players.get(id) for id in members])

page_order = {order}
'''


COUNT = """
    def all_here(page, group):
        ran.append(sorted(player.id for player in group.players))
        group.times = group.get("times", 0) + 1
"""


async def test_groups_made_by_hand_are_released_each_for_itself(serve: Serve) -> None:
    server = await serve(waiting(COUNT), players=4)
    for id in (1, 3, 4):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Wait Start End End"
    host = await server.host()
    (reason,) = host.waiting.reasons()
    assert (reason.player.id, [one.id for one in reason.absent]) == (1, [2])
    assert reason.progress == ("group", 1, 2)
    await server.submit(2)
    await settle()
    assert await pages(server) == "End End End End"
    assert server.module.ran == [[3, 4], [1, 2]]


async def test_all_here_runs_once_for_arrivals_at_the_same_time(serve: Serve, journal: Journal) -> None:
    server = await serve(
        waiting(
            """
    async def all_here(page, group):
        group.times = group.get("times", 0) + 1
        await gates.wait("here")
        group.after = group.get("after", 0) + 1
""",
            groups="[[1, 2, 3, 4]]",
        ),
        players=4,
        journal=journal,
    )
    for id in (1, 2, 3, 4):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Wait Wait Wait Wait"
    server.gates.open("here")
    await settle()
    assert await pages(server) == "End End End End"
    (group,) = (await server.host()).state.groups
    assert (group.times, group.after) == (1, 1)


async def test_evidence_44_a_failing_all_here_is_shown_and_does_not_crash_both_for_good(serve: Serve) -> None:
    server = await serve(
        waiting("""
    def all_here(page, group):
        ran.append(group.id)
        group.share = 10 / group.get("size", 0)
"""),
        players=4,
    )
    for id in (1, 2, 3):
        await server.submit(id)
    await settle()
    held = [await server.page(id) for id in (1, 2)]
    assert [page.kind for page in held] == ["held", "held"]
    assert await pages(server) == "Wait Wait Wait Start"
    host = await server.host()
    assert host.errors[-1][2] == "lab/Wait.all_here"
    group = host.state.groups[0]
    await server.act(lambda: setattr(group, "size", 2))
    await host.retry(host._token(1))
    await settle()
    assert await pages(server) == "End End Wait Start"
    assert (server.module.ran, group.share) == ([1, 1], 5)


async def test_evidence_28_who_missed_that_all_here_failed_learns_of_it_on_coming_back(serve: Serve) -> None:
    """Their page was the wait page still, of the same stay: they would have waited there for ever."""
    server = await serve(
        waiting("""
    def all_here(page, group):
        group.share = 10 / group.get("size", 0)
"""),
        players=2,
    )
    await server.submit(1)
    await settle()
    lost, loading = await server.opened(1), server.browser(1)
    await loading.load()
    lost.lose()
    await server.submit(2)
    await settle()
    assert (await server.page(1)).kind == "held"
    for browser in (lost, loading):
        await browser.connect()
        assert browser.reloads == 1


async def test_a_crash_before_all_here_and_one_in_the_middle_of_it(
    serve: Serve, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(
        waiting("""
    async def all_here(page, group):
        ran.append(group.id)
        group.times = group.get("times", 0) + 1
        if group.id == 2:
            await gates.wait("never")
"""),
        players=4,
        journal=journal,
    )
    host = await server.host()
    host.waiting.look = lambda *_: None  # type: ignore[method-assign]
    for id in (1, 2, 3, 4):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Wait Wait Wait Wait"
    await server.restart()
    await settle()
    assert await pages(server) == "End End Wait Wait"
    await (await server.host()).durable()
    with caplog.at_level(logging.WARNING):
        await server.restart()
    await settle()
    assert "all_here of lab/Wait was interrupted" in caplog.text
    assert await pages(server) == "End End End End"
    assert server.module.ran == [1, 2]


async def test_latecomers_pass_without_a_second_all_here(serve: Serve, journal: Journal) -> None:
    server = await serve(waiting(COUNT, groups="[[1, 2]]"), players=3, journal=journal)
    for id in (1, 2):
        await server.submit(id)
    await settle()
    host = await server.host()
    group = host.state.groups[0]
    await server.act(lambda: add_to_group(group, host.state.player(3)))
    await server.restart()
    await server.submit(3)
    await settle()
    assert await pages(server) == "End End End"
    assert server.module.ran == [[1, 2]]


async def test_who_is_put_into_a_group_while_they_wait(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(waiting(COUNT, groups="[[9]]"), players=2)
    for id in (1, 2):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Wait Wait"
    assert "is in no group; put a GroupCreatingWait before it, or call create_group" in caplog.text
    host = await server.host()
    await server.act(lambda: create_group(host.state.session, host.state.everybody))
    assert await pages(server) == "End End"
    assert server.module.ran == [[1, 2]]


async def test_who_is_beyond_or_through_is_not_waited_for(serve: Serve) -> None:
    server = await serve(waiting(COUNT, groups="[[1, 2], [3, 4], [5, 6]]"), players=6)
    for id in (1, 3, 5):
        await server.submit(id)
    players = (await server.host()).state.everybody
    await server.move("End", 2)
    await server.act(lambda: finish(players.get(4), "screened_out"))
    assert await pages(server) == "End End End  Wait Start"
    await server.act(lambda: move_to_page(players.get(6), "End"))
    assert await pages(server) == "End End End  End End"


SKIPPING = """
    def show(page, player):
        return player.id != 2
"""


async def test_who_skips_the_wait_page_is_beyond_it(serve: Serve) -> None:
    server = await serve(waiting(SKIPPING + COUNT), players=4)
    await server.submit(1)
    await settle()
    assert await pages(server) == "Wait Start Start Start"
    await server.submit(2)
    await settle()
    assert await pages(server) == "End End Start Start"


async def test_one_wait_page_in_several_places_and_rounds(serve: Serve, journal: Journal) -> None:
    server = await serve(
        waiting(COUNT, groups="[[1, 2]]", order="[Wait, Start, Wait, Rounds(End, Wait, n=2), Start]"),
        players=2,
        journal=journal,
    )
    for id in (1, 2):
        assert server.module.ran == []
        await server.opened(id)
    await settle()
    seen = []
    for step in range(1, 6):
        seen.append(await where(server, 1))
        assert server.module.ran == [[1, 2]] * min(step, 4)
        await server.submit(1)
        await settle()
        assert await where(server, 1) == ("Wait" if step < 4 else "")
        if step == 2:
            await server.restart()
        await server.submit(2)
        await settle()
        if step == 4:
            break
    assert seen == ["Start", "End", "End", "Start"]


# ---------------------------------------------------------------- the whole session, and others


SESSION = """
    def all_here(page, session):
        session.times = session.get("times", 0) + 1
"""


async def test_a_session_waits_for_those_who_have_taken_their_places(serve: Serve, journal: Journal) -> None:
    server = await serve(waiting(SESSION, kind='synchronize = "session"'), players=4, journal=journal)
    for id in (1, 2, 3):
        await server.opened(id)
    for id in (1, 2):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Wait Wait Start Start"
    assert (await server.host()).waiting.reasons()[0].progress == ("session", 2, 3)
    await server.restart()
    await settle()
    assert await pages(server) == "Wait Wait Start Start"
    await server.submit(3)
    await settle()
    assert await pages(server) == "End End End Start"
    await server.opened(4)
    await server.submit(4)
    await settle()
    assert await pages(server) == "End End End End"
    assert (await server.host()).state.session.times == 1


async def test_nobody_has_arrived_where_nobody_has_taken_the_place_yet(serve: Serve, journal: Journal) -> None:
    """The first page is a wait page: players are there from the beginning, people are not."""
    server = await serve(
        waiting(SESSION, kind='synchronize = "session"', order="[Wait, Start, Wait, End]"), players=3, journal=journal
    )
    await settle()
    assert await pages(server) == "Wait Wait Wait"
    await server.opened(2)
    await settle()
    assert await pages(server) == "Wait Start Wait"  # who comes first waits for nobody: nobody else is there
    await server.restart()
    await server.opened(1)
    await settle()
    assert await pages(server) == "Start Start Wait"
    for id in (1, 2):
        await server.submit(id)
    await settle()
    assert await pages(server) == "End End Wait"


async def test_a_session_does_not_wait_for_who_is_through(serve: Serve) -> None:
    server = await serve(waiting(SESSION, kind='synchronize = "session"'), players=3)
    for id in (1, 2, 3):
        await server.opened(id)
    for id in (1, 2):
        await server.submit(id)
    host = await server.host()
    await server.act(lambda: finish(host.state.player(3), "gone"))
    assert await pages(server) == "End End "


async def test_wait_for(serve: Serve, journal: Journal) -> None:
    server = await serve(
        waiting("""
    async def wait_for(page, player):
        return {1: [2], 2: player.session.players.get(1), 3: player.session.players.get(1).name, 4: None}[player.id]

    def all_here(page, group):
        ran.append(group.id)
"""),
        players=4,
        journal=journal,
    )
    await server.submit(1)
    await server.submit(3)
    await settle()
    assert await pages(server) == "Wait Start End Start"
    await server.restart()
    await server.submit(2)
    await server.submit(4)
    await settle()
    assert await pages(server) == "End End End End"
    assert server.module.ran == [2, 1, 2]


async def test_wait_for_somebody_who_does_not_exist(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(waiting("\n    def wait_for(page, player):\n        return [99]\n"), players=1)
    await server.submit(1)
    await settle()
    assert (await server.page(1)).kind == "held"
    assert "wait_for: expected players of this session or their ids, found 99" in caplog.text


async def test_whoever_is_moved_while_a_hook_of_the_page_before_waits_is_released_like_others(serve: Serve) -> None:
    """What is left of leaving that page is not taken for leaving the wait page."""
    server = await serve(
        '''
        class Start(Page):
            """# Start"""

            async def after_once(page, player):
                await gates.wait("slow")

        class Wait(SynchronizingWait):
            synchronize = "session"

        class End(Page):
            """# End"""

        page_order = [Start, End, Wait, End]
        '''
    )
    submitting = asyncio.ensure_future(server.submit())
    await settle()
    await server.move("Wait")
    server.gates.open("slow")
    await submitting
    await settle()
    assert await where(server, 1) == "End"
