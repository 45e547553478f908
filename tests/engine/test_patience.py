"""Patience: what becomes of those who wait where somebody does not come. A leaving partner leaves nobody stuck."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle
from tests.engine.test_synchronizing import waiting
from tests.engine.test_waiting import grouping, pages

EXAMPLES = Path(__file__).parents[2] / "examples"
MISSING = """
    patience = 60
    if_missing = %s

    async def missing(page, group, absent):
        ran.append(("missing", group.id, [player.id for player in absent]))
        await asyncio.sleep(0)

    def all_here(page, group):
        ran.append(("here", group.id, [player.id for player in group.players]))
"""
SORRY = '''
class Sorry(Page):
    """# Sorry"""
'''
ORDER = "[Start, Wait, Start, Wait, End, Sorry]"


@pytest.mark.parametrize(
    ("policy", "where", "ran", "late"),
    [
        ('"wait"', "Wait", [("missing", 1, [2])], "Start Start"),
        ('"proceed"', "Start", [("missing", 1, [2]), ("here", 1, [1, 2])], "Start Start"),
        ('"dissolve"', "Start", [("missing", 1, [2]), ("here", 1, [1])], "Start Start"),
        ("Sorry", "Sorry", [("missing", 1, [2])], "Sorry Sorry"),
        ('"Sorry"', "Sorry", [("missing", 1, [2])], "Sorry Sorry"),
    ],
)
async def test_evidence_23_a_partner_who_left_leaves_nobody_waiting_for_ever(
    serve: Serve, policy: str, where: str, ran: list[object], late: str, journal: Journal
) -> None:
    """Each policy, with a restart on the way; and the partner comes back after all."""
    server = await serve(
        waiting(MISSING % policy, groups="[[1, 2]]", order=ORDER).replace("class Wait", SORRY + "\nclass Wait", 1),
        players=2,
        journal=journal,
    )
    await server.submit(1)
    await server.clock.advance(59)
    assert server.module.ran == []
    await server.restart()
    await server.clock.advance(30)  # an outage does not count, and is never taken for shorter than it was
    await settle()
    assert server.module.ran == ran
    assert await pages(server) == f"{where} Start"
    await server.submit(2)
    await server.clock.advance(61)
    assert await pages(server) == late
    assert [line for line in server.module.ran if line[0] == "missing"] == [("missing", 1, [2])]
    assert len([line for line in server.module.ran if line[0] == "here"]) == ("Sorry" not in policy)


async def test_a_partner_who_comes_in_time_clears_the_deadline(serve: Serve) -> None:
    server = await serve(waiting(MISSING % '"proceed"', groups="[[1, 2]]"), players=2)
    await server.submit(1)
    host = await server.host()
    assert len(host.deadlines.keys("patience:")) == 1
    await server.clock.advance(30)
    await server.submit(2)
    await settle()
    assert host.deadlines.keys("patience:") == []
    await server.clock.advance(100)
    assert await pages(server) == "End End"
    assert server.module.ran == [("here", 1, [1, 2])]


async def test_the_time_that_the_server_was_away_does_not_count(serve: Serve, journal: Journal) -> None:
    server = await serve(waiting(MISSING % '"proceed"', groups="[[1, 2]]"), players=2, journal=journal)
    await server.submit(1)
    await server.clock.advance(30)
    await server.stop()
    server.clock.jump(3600)
    await server.start()
    await server.clock.advance(20)
    assert await pages(server) == "Wait Start"
    await server.clock.advance(30)
    assert await pages(server) == "End Start"


async def test_nobody_waits_for_who_has_dropped_out(serve: Serve) -> None:
    server = await serve(waiting(MISSING % '"wait"', groups="[[1, 2]]"), players=2)
    await server.submit(1)
    host = await server.host()
    two = host.state.player(2)
    await server.act(lambda: host.state.writing().assign(host.flow.private(2), "dropped_out", True))
    host.waiting.changed(two)
    await settle()
    assert await pages(server) == "End Start"


async def test_a_failing_missing_holds_and_is_tried_again(serve: Serve) -> None:
    server = await serve(
        waiting(
            """
    patience = 60
    if_missing = "proceed"

    def missing(page, group, absent):
        if group.get("broken", True):
            raise ValueError("on purpose")
        group.missed = [player.id for player in absent]
""",
            groups="[[1, 2, 3]]",
        ),
        players=3,
    )
    for id in (1, 2):
        await server.submit(id)
    await server.clock.advance(61)
    assert [(await server.page(id)).kind for id in (1, 2)] == ["held", "held"]
    host = await server.host()
    (group,) = host.state.groups
    await server.act(lambda: setattr(group, "broken", False))
    await host.retry(host._token(2))
    await settle()
    assert await pages(server) == "End End Start"
    assert list(group.missed) == [3]


# ---------------------------------------------------------------- waiting for a group


ALONE = """
    patience = 60
    if_missing = %s
%s
    def missing(page, player, absent):
        ran.append((player.id, len(absent)))
"""


async def groups_of(server: Server) -> list[list[int]]:
    return [[player.id for player in group.players] for group in (await server.host()).state.groups]


async def test_smaller_groups_once_somebody_has_waited_long_enough(serve: Serve, journal: Journal) -> None:
    server = await serve(
        grouping(ALONE % ('"proceed"', "    min_size = 2\n"), size=3, order="[Meet, Play]"), players=3, journal=journal
    )
    await server.opened(1)
    await server.clock.advance(40)
    await server.opened(2)
    await settle()
    assert await pages(server) == "Meet Meet Meet"
    await server.clock.advance(21)
    assert await pages(server) == "Play Play Meet"
    assert await groups_of(server) == [[1, 2]]
    assert server.module.ran == []
    await server.opened(3)
    await server.clock.advance(30)
    assert await pages(server) == "Play Play Meet"


@pytest.mark.parametrize(("policy", "where"), [('"wait"', "Meet"), ('"proceed"', "Play"), ("Sorry", "Sorry")])
async def test_evidence_23_who_finds_no_group_is_not_stuck(
    serve: Serve, policy: str, where: str, journal: Journal
) -> None:
    source = grouping(ALONE % (policy, ""), size=2, order="[Meet, Play, Sorry]")
    server = await serve(source.replace("class Meet", SORRY + "\nclass Meet"), players=2, journal=journal)
    await server.opened(1)
    await server.clock.advance(61)
    assert await pages(server) == f"{where} Meet"
    assert server.module.ran == [(1, 0)]
    await server.opened(2)
    await settle()
    together = policy == '"wait"'
    assert await pages(server) == ("Play Play" if together else f"{where} Meet")
    assert await groups_of(server) == ([[1, 2]] if together else [])
    assert server.module.ran == [(1, 0)]


TOGETHER = '''
class Together(SynchronizingWait):
    def all_here(page, group):
        ran.append("all_here")
%s

class End(Page):
    """# End"""
'''


async def test_who_goes_on_without_a_group_waits_for_nobody_later(serve: Serve, journal: Journal) -> None:
    order = "[Meet, Play, Together, End]"
    server = await serve(
        grouping(ALONE % ('"proceed"', ""), size=2, order=order, more=TOGETHER % ""), players=1, journal=journal
    )
    await server.opened(1)
    await server.clock.advance(61)
    await server.restart()
    await server.submit(1)
    await settle()
    assert await pages(server) == "End"
    assert server.module.ran == [(1, 0)]


@pytest.mark.parametrize(
    ("policy", "where"), [('"wait"', "Wait"), ('"proceed"', "Start"), ('"dissolve"', "Start"), ("Sorry", "Sorry")]
)
async def test_patience_ends_for_who_is_in_no_group_too(
    serve: Serve, policy: str, where: str, journal: Journal
) -> None:
    """As for the last ones to come, where a function makes a group of every fourth player."""
    source = waiting(MISSING % policy, groups="[[9]]", order=ORDER).replace("class Wait", SORRY + "\nclass Wait", 1)
    server = await serve(source, players=1, journal=journal)
    await server.submit(1)
    await server.clock.advance(59)
    assert await pages(server) == "Wait"
    await server.clock.advance(2)
    await settle()
    assert await pages(server) == where
    await server.restart()
    await settle()
    assert await pages(server) == where
    assert server.module.ran == []


async def test_who_has_dropped_out_and_is_back_is_in_no_group_and_not_stuck(serve: Serve) -> None:
    server = await serve(grouping(ALONE % ('"proceed"', ""), size=2), players=2)
    host = await server.host()
    await server.act(lambda: host.state.writing().assign(host.flow.private(1), "dropped_out", True))
    for id in (1, 2):
        await server.opened(id)
    await server.clock.advance(61)
    assert await pages(server) == "Play Play"
    assert await groups_of(server) == []


async def test_the_time_left_is_said(serve: Serve) -> None:
    server = await serve(grouping(ALONE.replace("60", "150") % ('"proceed"', ""), size=2), players=2)
    one = await server.opened(1)
    assert "You will wait for at most 3 more minutes." in (await server.page(1)).html
    await server.clock.advance(125)
    said = [message["data"]["patience"] for message in one.messages if message.get("name") == "!waiting"]
    assert said[-1] == "You will wait for at most 1 more minute."


@pytest.mark.parametrize("how", ["timeout", "dropout"])
async def test_all_here_of_the_trust_game_bears_a_sender_who_has_not_answered(tmp_path: Path, how: str) -> None:
    """After a timeout the field is None, of who has dropped out it is not there: nobody is held at "Try again"."""
    folder = tmp_path / "trust_game"
    shutil.copytree(EXAMPLES / "trust_game", folder)
    source = folder / "__init__.py"
    source.write_text(source.read_text().replace("class Send(Page):", "class Send(Page):\n    timeout = 60"))
    server = Server(tmp_path, "")
    server._target, server.apps, server.config = folder, ["trust_game"], "trust_game"
    await server.start()
    try:
        host = await server.create(2)
        browsers = [await server.opened(id) for id in (1, 2)]
        assert len(browsers) == 2
        await settle()
        sender, receiver = sorted(host.state.everybody, key=lambda player: player.role, reverse=True)
        assert "Send" in sender.page_order[sender.show_page]
        if how == "timeout":
            await server.clock.advance(70)
            assert sender.get("sent", 0) is None
        else:
            await server.act(lambda: host.dropouts.mark(sender))
            assert "sent" not in sender.fields()
        await settle()
        assert not receiver._about.get("held")
        assert receiver.page_order[receiver.show_page] == "trust_game/Results"
        group = receiver.group
        assert group is not None
        assert (receiver.payoff, group.sent) == (0, 0)
    finally:
        await server.crash()
