"""The past: every value a field has had, a record at a moment, what was written in a round."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from promptgrimoire.commands import Called
from promptgrimoire.errors import ReadOnly, UnknownField
from promptgrimoire.journal.base import Journal
from promptgrimoire.state.transaction import Transaction
from tests.engine.conftest import Serve
from tests.engine.stage import settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def write(page, player, value: int):
        player.x = value
        player.items.append(value)
        player.friend = player.other_in_session

    @live
    def forget(page, player):
        del player.x

    @live
    async def look(page, player):
        player.x = 99
        return [change.value for change in await player.history("x")]

def new_player(player):
    player.items = []

page_order = [Lab]
'''


async def test_history_has_every_value_with_time_cause_and_line(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, players=2, journal=journal)
    one = await server.opened()
    for value in (1, 2):
        await one.ask("write", value)
        await server.clock.advance(10)
    await one.ask("forget")
    player = await server.player()
    changes = await player.history("x")
    assert [(change.value, change.gone) for change in changes] == [(1, False), (2, False), (None, True)]
    assert [change.at - changes[0].at for change in changes] == [0, 10, 20]
    assert isinstance(changes[0].cause, Called)
    assert changes[0].cause.method == "write"
    assert changes[0].line.startswith("lab.py:")
    assert "player.x = value" in server.file.read_text().splitlines()[int(changes[0].line.split(":")[1]) - 1]
    assert [change.value for change in await player.history("items")] == [[], [1], [1, 2]]
    assert await player.history("never") == []


async def test_history_inside_a_method_has_what_it_has_just_written(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    await one.ask("write", 1)
    assert await one.ask("look") == [1, 99]


async def test_players_in_the_past_are_the_players_of_today(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    await one.ask("write", 1)
    player = await server.player(1)
    friend = await server.player(2)
    assert (await player.history("friend"))[0].value is friend
    assert (await player.at(server.clock.now())).friend is friend


async def test_a_record_at_a_moment(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    player = await server.player()
    start = server.clock.now()
    await one.ask("write", 1)
    seq = (await server.host()).chain.seq
    await server.clock.advance(10)
    await one.ask("write", 2)
    for moment in (seq, start + 5, datetime.fromtimestamp(start + 5, UTC)):
        then = await player.at(moment)
        assert (then.x, then.items) == (1, [1])
    assert (await player.at(start + 10)).items == [1, 2]
    with pytest.raises(UnknownField):
        _ = (await player.at(2)).x
    with pytest.raises(ReadOnly):
        then.x = 5


async def test_within_gives_what_was_written_in_a_round_also_after_a_restart(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    host = await server.host()
    for round in (1, 2, 3):
        host.state.transaction = Transaction(host.state)
        host.state.transaction.assign(host.flow.private(1), "round", round)
        transaction, host.state.transaction = host.state.transaction, None
        host.commit(transaction, Called(1, 1, "x", 0, "test"))
        if round != 2:
            await one.ask("write", round)
    for now in (host, await server.restart()):
        player = now.state.player(1)
        assert (player.within(round=1).x, player.within(round=1).items) == (1, [1])
        assert player.within(round=2).get("x", "missing") == "missing"
        assert (player.within(round=3).x, player.within(app="lab", round=3).items) == (3, [1, 3])
        assert player.within(app="other").fields() == {}


async def test_savepoints_nest(serve: Serve) -> None:
    server = await serve(LAB)
    host = await server.host()
    player = host.state.player(1)
    transaction = host.state.transaction = Transaction(host.state)
    ended: list[str] = []
    player.a = 1
    outer = transaction.mark()
    player.items.append(1)
    transaction.begin(lambda: None, lambda: ended.append("outer"))
    inner = transaction.mark()
    player.a = 2
    player.items[0] = 5
    player.items.insert(0, 7)
    transaction.say("inner", b"null")
    transaction.begin(lambda: None, lambda: ended.append("inner"))
    transaction.back_to(inner)
    assert (player.a, list(player.items), ended) == (1, [1], ["inner"])
    player.b = 3
    transaction.back_to(outer)
    assert (player.a, list(player.items), player.get("b"), ended) == (1, [], None, ["inner", "outer"])
    assert (len(transaction.said), len(transaction.begun)) == (0, 0)
    patches, _ = transaction.patches()
    assert [patch.path for patch in patches] == [["a"]]
    transaction.undo()
    host.state.transaction = None
    assert player.get("a") is None
    await settle()
