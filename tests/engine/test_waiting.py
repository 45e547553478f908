"""Wait pages that form groups: who is grouped with whom, and what a crash in between leaves to be done."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

MATCH = '''
class Meet(GroupCreatingWait):
    group_size = 2
    roles = ("buyer", "seller")

    def after_grouping(page, group):
        group.pot = 10
        ran.append([player.id for player in group.players])

class Play(Page):
    """# Play"""

class Together(SynchronizingWait):
    def all_here(page, group):
        group.total = group.get("total", 0) + 1

class End(Page):
    """# End"""

page_order = [Meet, Play, Together, End]
'''


async def where(server: Server, id: int) -> str:
    page: str = (await server.player(id))._about["page"]
    return page.partition("/")[2]


async def pages(server: Server) -> str:
    """The pages of all players, in order."""
    return " ".join([await where(server, player.id) for player in (await server.host()).state.everybody])


async def test_arrivals_are_grouped_and_wait_for_each_other(serve: Serve) -> None:
    server = await serve(MATCH, players=5)
    for id in range(1, 6):
        await server.opened(id)
    await settle()
    assert await pages(server) == "Play Play Play Play Meet"
    player: Any = await server.player(1)
    assert player.group.pot == 10
    assert sorted(member.role for member in player.group.players) == ["buyer", "seller"]
    await server.submit(1)
    assert await where(server, 1) == "Together"
    assert not hasattr(player.group, "total")
    await server.submit(2)
    await settle()
    assert await pages(server) == "End End Play Play Meet"
    assert player.group.total == 1


def grouping(body: str = "", size: int = 4, order: str = "[Meet, Play]", more: str = "") -> str:
    """An app whose first page groups. `body` is indented as members of a class are."""
    return f'''
class Meet(GroupCreatingWait):
    group_size = {size}
{body}

class Play(Page):
    """# Play"""
{more}

page_order = {order}
'''


ASYNC = """
    async def after_grouping(page, group):
        ran.append(sorted(player.id for player in group.players))
        await gates.wait("grouping")
        group.done = group.get("done", 0) + 1
"""


async def test_evidence_26_nobody_is_in_two_groups_and_none_is_too_large(serve: Serve) -> None:
    """Thirteen arrive at once, groups have four members, and what forms a group takes its time."""
    server = await serve(grouping(ASYNC), players=13)
    for id in range(1, 14):
        await server.opened(id)
    await settle()
    assert server.module.ran == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert await pages(server) == " ".join(["Meet"] * 13)
    server.gates.open("grouping")
    await settle(60)
    assert await pages(server) == " ".join(["Play"] * 12 + ["Meet"])
    host = await server.host()
    assert [len(group.players) for group in host.state.groups] == [4, 4, 4]
    assert [group.done for group in host.state.groups] == [1, 1, 1]
    assert (await server.player(13)).group is None
    progress = host.waiting.reasons()[0]
    assert (progress.player.id, progress.page, progress.progress.here, progress.progress.total) == (
        13,
        "lab/Meet",
        1,
        4,
    )


async def test_only_those_who_are_present_are_matched(serve: Serve) -> None:
    server = await serve(grouping(size=2), players=3)
    await server.opened(3)
    await settle()
    assert await pages(server) == "Meet Meet Meet"
    two = await server.opened(2)
    await settle()
    assert await pages(server) == "Meet Play Play"
    player: Any = await server.player(2)
    assert [one.id for one in player.group.players] == [3, 2]
    two.lose()
    assert (await server.player(1)).group is None


async def test_who_has_gone_away_is_not_matched_and_who_reloads_is(serve: Serve) -> None:
    server = await serve(grouping(size=2), players=3)
    one, two = await server.opened(1), await server.browser(2).load()
    del two
    one.lose()
    await server.clock.advance(6)
    await server.opened(3)
    await settle()
    assert await pages(server) == "Meet Meet Meet"
    again = await one.reload()
    await settle()
    assert await pages(server) == "Play Meet Play"
    assert again.reloads == 1


async def test_group_by_and_arrival_order(serve: Serve) -> None:
    server = await serve(
        grouping(
            """
    async def group_by(page, player):
        ran.append(player.id)
        return (player.id % 2, "x")
""",
            size=2,
        ),
        players=5,
    )
    for id in (5, 2, 1, 3, 4):
        await server.opened(id)
    await settle()
    host = await server.host()
    groups = [[player.id for player in group.players] for group in host.state.groups]
    assert groups == [[5, 1], [2, 4]]
    assert sorted(server.module.ran) == [1, 2, 3, 4, 5]


async def test_a_key_that_cannot_be_compared_is_said_and_tried_again(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(
        grouping("""
    def group_by(page, player):
        return player.session.get("key", ["a", "list"])
"""),
        players=1,
    )
    assert (await server.page(1)).kind == "held"
    assert "group_by: expected a text, a number or a tuple of these, found ['a', 'list']; return a tuple" in caplog.text
    host = await server.host()
    await server.act(lambda: setattr(host.state.session, "key", "b"))
    await host.retry(host._token(1))
    assert (await server.page(1)).kind == "page"
    assert (await server.player(1))._about["arrived"]["key"] == "b"


# ---------------------------------------------------------------- hooks that fail


FAILING = """
    def after_grouping(page, group):
        ran.append(sorted(player.id for player in group.players))
        group.pot = 1
        if group.session.get("broken", True) and 1 in ran[-1]:
            raise ValueError("on purpose")
"""


async def test_a_failing_after_grouping_undoes_the_group_and_disturbs_nobody_else(serve: Serve) -> None:
    server = await serve(grouping(FAILING, size=2), players=4)
    for id in (1, 2, 3, 4):
        await server.opened(id)
    await settle()
    assert await pages(server) == "Meet Meet Play Play"
    host = await server.host()
    assert len(host.state.groups) == 1
    shown = [await server.page(id) for id in (1, 2)]
    assert [page.kind for page in shown] == ["held", "held"]
    assert shown[0].reference == shown[1].reference != ""
    assert [browser.reloads for browser in server.browsers] == [1, 1, 1, 1]
    await server.act(lambda: setattr(host.state.session, "broken", False))
    await host.retry(host._token(2))
    await settle()
    assert await pages(server) == "Play Play Play Play"
    assert server.module.ran == [[1, 2], [3, 4], [1, 2]]
    assert (await server.player(1)).group is (await server.player(2)).group


async def test_a_failing_after_grouping_that_has_waited_runs_again_for_its_group(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(
        grouping(
            """
    async def after_grouping(page, group):
        group.tries = group.get("tries", 0) + 1
        await asyncio.sleep(0)
        if group.tries == 1:
            raise ValueError("on purpose")
        group.done = True
""",
            size=2,
        ),
        players=2,
        journal=journal,
    )
    for id in (1, 2):
        await server.opened(id)
    await settle()
    assert (await server.page(1)).kind == "held"
    await server.restart()
    assert [(await server.page(id)).kind for id in (1, 2)] == ["held", "held"]
    host = await server.host()
    await host.retry(host._token(1))
    await settle()
    assert await pages(server) == "Play Play"
    (group,) = host.state.groups
    assert (group.tries, group.done, [player.id for player in group.players]) == (2, True, [1, 2])


# ---------------------------------------------------------------- crashes


async def test_a_crash_between_arriving_and_matching(serve: Serve, journal: Journal) -> None:
    server = await serve(grouping(size=2), players=3, journal=journal)
    host = await server.host()
    host.waiting.look = lambda *_: None  # type: ignore[method-assign]
    for id in (2, 3, 1):
        await server.opened(id)
    await settle()
    assert await pages(server) == "Meet Meet Meet"
    await server.restart()
    await settle()
    assert await pages(server) == "Meet Play Play"  # in the order in which they came


async def test_a_crash_between_grouping_and_releasing(serve: Serve, journal: Journal) -> None:
    server = await serve(grouping(FAILING.replace("True)", "False)"), size=2), players=2, journal=journal)
    host = await server.host()
    host.flow._depart = lambda *_: None  # type: ignore[method-assign]
    for id in (1, 2):
        await server.opened(id)
    await settle()
    await host.durable()
    assert await pages(server) == "Meet Meet"
    await server.restart()
    await settle()
    assert await pages(server) == "Play Play"
    assert server.module.ran == [[1, 2]]
    assert len((await server.host()).state.groups) == 1


async def test_evidence_28_wait_pages_move_on_also_when_the_last_arrival_crashed_the_server(
    serve: Serve, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """after_grouping waits for something when the server dies: it counts as run, and its group goes on by push."""
    server = await serve(grouping(ASYNC, size=2), players=2, journal=journal)
    for id in (1, 2):
        await server.opened(id)
    await settle()
    await (await server.host()).durable()
    with caplog.at_level(logging.WARNING):
        await server.restart()
    await settle()
    assert "after_grouping of lab/Meet was interrupted" in caplog.text
    assert await pages(server) == "Play Play"
    assert server.module.ran == [[1, 2]]
    one = server.browsers[0]
    await one.connect()
    assert one.reloads == 1


# ---------------------------------------------------------------- roles, rounds, apps


async def test_roles_that_players_have_are_kept_where_that_works_out(serve: Serve) -> None:
    server = await serve(
        grouping('    roles = ("buyer", "seller")', size=2, order="[Play, Rounds(Meet, Play, n=2)]")
        + """
def new_player(player):
    player.role = "buyer" if player.id < 3 else "seller"
""",
        players=4,
    )
    for id in (1, 2, 3, 4):
        await server.opened(id)
        await server.submit(id)
    await settle()
    host = await server.host()
    groups = [sorted(player.id for player in group.players) for group in host.state.groups]
    assert groups == [[1, 3], [2, 4]]
    assert [player.role for player in host.state.everybody] == ["buyer", "buyer", "seller", "seller"]


async def test_declared_players_need_not_declare_their_role(serve: Serve) -> None:
    server = await serve(
        "class Player(PlayerFields):\n    x: int = 0\n" + grouping('    roles = ("a", "b")', size=2), players=2
    )
    for id in (1, 2):
        await server.opened(id)
    await settle()
    assert sorted(player.role for player in (await server.host()).state.everybody) == ["a", "b"]


async def test_groups_of_earlier_rounds_keep_their_members(serve: Serve, journal: Journal) -> None:
    server = await serve(
        grouping(
            size=2,
            order="[Rounds(Meet, Play, n=2), Play]",
            body="\n    def after_grouping(page, group):\n        group.round_ = group.players[0].round\n",
        ),
        players=4,
        journal=journal,
    )
    for id in (1, 2, 3, 4):
        await server.opened(id)
    await settle()
    for id in (1, 3, 2, 4):
        await server.submit(id)
        await settle()
    await server.restart()
    host = await server.host()
    assert [[player.id for player in group.players] for group in host.state.groups] == [[1, 2], [3, 4], [1, 3], [2, 4]]
    assert [group.round_ for group in host.state.groups] == [1, 1, 2, 2]
    assert host.state.everybody.each("group") == [host.state.groups[n] for n in (2, 3, 2, 3)]
    assert [player.member_id for player in host.state.everybody] == [0, 0, 1, 1]


async def test_an_app_groups_anew(serve: Serve) -> None:
    server = await serve(MATCH, apps={"market": grouping(size=4, body="    roles = ('a', 'b', 'c', 'd')")}, players=4)
    for id in (1, 2, 3, 4):
        await server.opened(id)
    await settle()
    for id in (1, 2, 3, 4):
        await server.submit(id)
    await settle()
    for id in (1, 2, 3, 4):
        await server.submit(id)
    await settle()
    host = await server.host()
    assert await pages(server) == "Play Play Play Play"
    assert [(group.app, len(group.players)) for group in host.state.groups] == [("lab", 2), ("lab", 2), ("market", 4)]
    assert sorted(player.role for player in host.state.everybody) == ["a", "b", "c", "d"]
    assert set(host.state.everybody.each("group")) == {host.state.groups[2]}


# ---------------------------------------------------------------- schedules


SCHEDULED = '''
class Meet(GroupCreatingWait):
    group_size = 2
    roles = ("first", "second")

class Play(Page):
    """# Play"""

    def before_once(page, player):
        ran.append((player.round, player.id, player.other_in_group.id, player.role))

class End(Page):
    """# End"""

page_order = [Play0, Rounds(Meet, Play, n=3, match="%s"), End]
'''
SCHEDULED = SCHEDULED.replace("class Meet", 'class Play0(Page):\n    """# Read"""\n\nclass Meet', 1)


@pytest.mark.parametrize("policy", ["strangers", "perfect_strangers", "total_strangers"])
async def test_schedules_over_rounds(serve: Serve, policy: str, journal: Journal) -> None:
    server = await serve(SCHEDULED % policy, players=7, journal=journal)
    browsers = [await server.opened(id) for id in range(1, 8)]
    for id in range(1, 7):
        await server.submit(id)
    await settle()
    assert await pages(server) == "Meet Meet Meet Meet Meet Meet Play0"  # one still reads
    await server.submit(7)
    await settle()
    spare = (await pages(server)).split().index("Meet") + 1
    assert spare == 7
    for round in (1, 2, 3):
        for id in range(1, 7):
            assert await where(server, id) == "Play", (round, id)
            await server.submit(id)
        if round == 1:
            await server.restart()
            for browser in browsers:
                await browser.connect()
        await settle()
    assert await pages(server) == "End End End End End End Meet"
    last = {(round, one): (other, role) for round, one, other, role in server.module.ran}  # what a crash undid, apart
    met = {(round, one, other) for (round, one), (other, _) in last.items()}
    assert len(met) == 18
    if policy != "strangers":
        assert len({(one, other) for _, one, other in met}) == 18
    if policy == "total_strangers":
        assert len({(one, role) for (_, one), (_, role) in last.items()}) == 6
    for (round, one), (other, role) in last.items():
        assert {role, last[round, other][1]} == {"first", "second"}, (round, one, other)


async def test_a_schedule_that_is_impossible_waits_for_more(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Which is how every such session begins: nothing to warn of."""
    caplog.set_level(logging.INFO, "promptgrimoire.waiting")
    server = await serve(SCHEDULED % "perfect_strangers", players=4)
    for id in (1, 2):
        await server.opened(id)
        await server.submit(id)
    await settle()
    assert await pages(server) == "Meet Meet Play0 Play0"
    assert "need at least 4 players, found 2" in caplog.text
    assert {record.levelname for record in caplog.records if "need at least" in record.message} == {"INFO"}
    for id in (3, 4):
        await server.opened(id)
        await server.submit(id)
        await settle()
    assert await pages(server) == "Play Play Play Play"


# ---------------------------------------------------------------- what participants see


async def test_evidence_49_the_wait_page_says_for_whom_and_for_how_many(serve: Serve) -> None:
    server = await serve(grouping(size=3), players=3)
    one = await server.opened(1)
    page = await server.page(1)
    assert "Please wait" in page.html
    assert "Waiting until enough participants are here to form a group" in page.html
    assert "1 of 3 participants here" in page.html
    assert "<form" not in page.html
    assert "grimoire-button-next" not in page.html
    await server.opened(2)
    await server.clock.advance(1)
    said = [message["data"] for message in one.messages if message.get("name") == "!waiting"]
    assert said[-1] == {"arrived": "2 of 3 participants here", "patience": ""}
    await server.opened(3)
    await settle()
    assert one.reloads == 1
    assert [await where(server, id) for id in (1, 2, 3)] == ["Play"] * 3


async def test_who_is_in_no_group_is_told_no_count(serve: Serve) -> None:
    server = await serve(
        '''
        class Wait(SynchronizingWait):
            pass

        class End(Page):
            """# End"""

        page_order = [Wait, End]
        ''',
        players=3,
    )
    one = await server.opened(1)
    html = (await server.page(1)).html
    assert "Waiting for the other participants" in html
    assert " of 1 " not in html
    host = await server.host()
    await server.act(lambda: host.state.create_group(host.state.everybody[:2], None, "lab"))
    await server.clock.advance(1)
    said = [message["data"]["arrived"] for message in one.messages if message.get("name") == "!waiting"]
    assert said[-1] == "1 of 2 participants here"


async def test_what_was_said_before_the_browser_was_connected_is_said_again(serve: Serve) -> None:
    server = await serve(grouping(size=3), players=3)
    one = await server.opened(1)
    again = server.browser(1)
    await again.load()
    await server.opened(2)
    await server.clock.advance(1)
    one.lose()
    await again.connect()
    await server.clock.advance(1)
    assert again.messages[-1]["data"]["arrived"] == "2 of 3 participants here"


async def test_a_template_of_the_authors(serve: Serve) -> None:
    server = await serve(
        grouping().replace("    group_size", '    """# Hold on\n\n    {{ player.id }}!"""\n    group_size')
    )
    html = (await server.page(1)).html
    assert "Hold on" in html
    assert "1!" in html
    assert "1 of 4 participants here" in html


async def test_an_edit_of_the_group_size_reaches_those_who_wait(serve: Serve) -> None:
    server = await serve(grouping(size=3), players=2)
    for id in (1, 2):
        await server.opened(id)
    server.file.write_text(server.file.read_text().replace("group_size = 3", "group_size = 2"))
    assert server.experiments.refresh(server.name)
    await settle()
    assert await pages(server) == "Play Play"


async def test_nobody_leaves_a_wait_page_by_posting(serve: Serve) -> None:
    server = await serve(grouping())
    await server.submit(1)
    await server.submit(1, data={"_timed_out": "1"})
    assert await pages(server) == "Meet"
