"""Participants who do not come back: noticed however they left, declared lost once, and nobody waits for them."""

from __future__ import annotations

from typing import Any

import pytest

from promptgrimoire.authoring.experiment import load
from promptgrimoire.errors import AuthorError, ExperimentError, ReadOnly
from promptgrimoire.runtime.dropouts import Dropouts
from tests.engine.conftest import Serve
from tests.engine.stage import Server, Tab

LAB = '''
DROPOUT_TOLERANCE = 60

class Lab(Page):
    """# Lab"""

    @live
    def watch(page, player, seconds: float = 20):
        watch_for_dropout(player, partner_left, tolerance=seconds)

    @live
    def back(page, player):
        player.dropped_out = False

    @live
    def lose(page, player, whom: Player):
        mark_dropout(whom)
        assert whom.dropped_out

class End(Page):
    """# End"""

def on_dropout(player):
    ran.append(f"dropout {player.id}")
    player.session.lost = player.session.get("lost", 0) + 1

def partner_left(player):
    ran.append(f"watched {player.id}")

page_order = [Lab, End]
'''
AWAY = 5.0  # seconds without a connection before a player counts as away at all


def _ran(server: Server) -> Any:
    return server.module.ran


@pytest.mark.parametrize("cleanly", [True, False])
async def test_evidence_22_a_closed_tab_is_noticed_as_a_dropout(serve: Serve, cleanly: bool) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(1001 if cleanly else 1006)
    await server.clock.advance(59.9)
    assert _ran(server) == []
    await server.clock.advance(0.1)
    assert _ran(server) == ["dropout 1"]
    assert (await server.player()).dropped_out
    await server.clock.advance(10_000)
    assert _ran(server) == ["dropout 1"]


async def test_evidence_22_closing_one_of_two_tabs_is_no_dropout(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.opened(1, Tab())
    one.lose(1001)
    await server.clock.advance(1000)
    assert _ran(server) == []


async def test_evidence_22_a_late_end_of_the_old_connection_is_no_dropout(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.opened(1, Tab())
    await server.clock.advance(30)
    one.lose()
    await server.clock.advance(1000)
    assert _ran(server) == []


async def test_whoever_comes_back_in_time_has_not_dropped_out(serve: Serve) -> None:
    server = await serve(LAB)
    for _ in range(4):
        one = await server.opened()
        one.lose(1001)
        await server.clock.advance(50)
    assert _ran(server) == []
    assert not (await server.player()).dropped_out
    await server.clock.advance(10)
    assert _ran(server) == ["dropout 1"]


async def test_whoever_comes_back_late_stays_lost_unless_the_author_says_otherwise(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(1001)
    await server.clock.advance(60)
    one = await server.opened()
    player = await server.player()
    assert player.dropped_out
    one.lose(1001)
    await server.clock.advance(500)
    assert _ran(server) == ["dropout 1"]
    one = await server.opened()
    await one.ask("back")
    assert not player.dropped_out
    one.lose(1001)
    await server.clock.advance(60)
    assert _ran(server) == ["dropout 1", "dropout 1"]


async def test_whoever_never_came_or_is_through_does_not_drop_out(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one = await server.opened()
    await server.move(2)
    one.lose(1001)
    await server.clock.advance(1000)
    assert _ran(server) == []


@pytest.mark.parametrize(
    ("page", "through"),
    [
        ('"""# Thank you"""', True),
        ('"""# One more question"""\n    fields = dict(why=StringField(label="Why?"))', False),
        ('"""# Chat"""\n    @live\n    def say(page, player): pass', False),
    ],
)
async def test_whoever_has_seen_the_last_page_may_close_it(serve: Serve, page: str, through: bool) -> None:
    """Results without a button are the end of most studies: all who had read them counted as dropouts."""
    source = LAB.replace('class End(Page):\n    """# End"""', f"class End(Page):\n    {page}")
    server = await serve(source, players=2)
    tabs = [await server.opened(1), await server.opened(2)]
    await server.submit(1)
    tabs.append(await server.opened(1))
    assert (await server.player(1))._about["page"] == "lab/End"
    for tab in tabs:
        tab.lose(1001)
    await server.clock.advance(1000)
    assert sorted(_ran(server)) == (["dropout 2"] if through else ["dropout 1", "dropout 2"])


@pytest.mark.parametrize("crash_after", [2.0, 10.0, 59.0])
async def test_a_dropout_is_noticed_across_a_restart_and_the_outage_does_not_count(
    serve: Serve, crash_after: float
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(1001)
    await server.clock.advance(crash_after)
    await server.crash()
    server.clock.jump(86_400)
    await server.start()
    await server.host()
    left = 60 - crash_after if crash_after > AWAY else 60 - AWAY
    await server.clock.advance(min(left, 50) - 0.5)
    assert _ran(server) == []
    await server.clock.advance(left + AWAY + 16)
    assert _ran(server) == ["dropout 1"]


async def test_a_crash_between_leaving_and_the_deadline_for_it_forgets_nobody(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    with monkeypatch.context() as crashing:
        crashing.setattr(Dropouts, "look", lambda self, player: None)
        one.lose(1001)
        await server.clock.advance(10)
        await server.crash()
    await server.start()
    await server.host()
    await server.clock.advance(60)
    assert _ran(server) == ["dropout 1"]


async def test_whoever_comes_back_to_a_server_that_was_restarted_has_not_dropped_out(serve: Serve) -> None:
    server = await serve(LAB)
    await server.opened()
    await server.crash()
    server.clock.jump(86_400)
    await server.start()
    await server.opened()
    await server.clock.advance(1000)
    assert _ran(server) == []


async def test_a_function_can_watch_one_player_and_is_found_after_a_restart(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    await one.ask("watch", 20)
    await one.ask("watch", 20)  # asked twice, told once
    await server.restart()
    one, two = await server.opened(1), await server.opened(2)
    one.lose(1001)
    two.lose(1001)
    await server.clock.advance(20)
    assert _ran(server) == ["watched 1"]
    await server.clock.advance(40)
    assert sorted(_ran(server)) == ["dropout 1", "dropout 2", "watched 1"]  # each after its own tolerance
    assert (await server.player(1)).dropped_out


async def test_watching_begins_at_once_where_the_player_is_away_already(serve: Serve) -> None:
    server = await serve(LAB.replace("DROPOUT_TOLERANCE = 60", "DROPOUT_TOLERANCE = 9000"))
    one = await server.opened()
    one.lose(1001)
    await server.clock.advance(100)
    module, player = server.module, await server.player()
    host = await server.host()
    await server.act(lambda: host.dropouts.watch(player, module.partner_left, 20))
    await server.clock.advance(19)
    assert _ran(server) == ["watched 1"]


async def test_marked_as_a_dropout_at_once_and_once(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    await one.ask("watch", 20)
    for _ in range(3):
        await two.ask("lose", 1)
    assert (await server.player(1)).dropped_out
    assert sorted(_ran(server)) == ["dropout 1", "watched 1"]
    one.lose(1001)
    await server.clock.advance(1000)
    assert sorted(_ran(server)) == ["dropout 1", "watched 1"]


async def test_a_crash_between_the_mark_and_what_runs_then_loses_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    host = await server.host()
    player = await server.player()
    await server.opened()
    server.clock.at = lambda when, function: type("Never", (), {"cancel": lambda self: None})()  # type: ignore[method-assign]
    await server.act(lambda: host.dropouts.mark(player))
    assert _ran(server) == []
    del server.clock.at
    await server.restart()
    await server.clock.advance(1)
    assert _ran(server) == ["dropout 1"]


@pytest.mark.parametrize("broken", ["sync", "async"])
async def test_an_on_dropout_that_fails_is_undone_and_the_player_is_lost_all_the_same(
    serve: Serve, broken: str
) -> None:
    source = LAB.replace('player.session.lost = player.session.get("lost", 0) + 1', "player.session.lost = 1; 1 / 0")
    if broken == "async":
        source = source.replace("def on_dropout", "async def on_dropout").replace("; 1 / 0", "; await gates.wait('x')")
    server = await serve(source)
    server.gates.open("x")
    one = await server.opened()
    one.lose(1001)
    await server.clock.advance(100)
    host, player = await server.host(), await server.player()
    assert player.dropped_out
    assert _ran(server) == ["dropout 1"]
    assert host.deadlines.next_due() is None
    assert (host.state.session.get("lost"), len(host.errors)) == ((None, 1) if broken == "sync" else (1, 0))


async def test_only_functions_that_survive_a_restart_can_watch(serve: Serve) -> None:
    server = await serve(LAB)
    host, player = await server.host(), await server.player()
    with pytest.raises(AuthorError, match="top level"):
        await server.act(lambda: host.dropouts.watch(player, lambda player: None, 3))
    with pytest.raises(AuthorError, match="tolerance in seconds"):
        await server.act(lambda: host.dropouts.watch(player, server.module.partner_left, -1))
    with pytest.raises(ReadOnly, match="mark_dropout"):
        await server.act(lambda: setattr(player, "dropped_out", True))


async def test_without_a_hook_a_tolerance_declares_players_lost_and_without_both_nothing_does(serve: Serve) -> None:
    quiet = '''
    class Lab(Page):
        """# Lab"""

    page_order = [Lab]
    '''
    for head, lost in (("", False), ("DROPOUT_TOLERANCE = 10", True)):
        server = await serve(f"\n    {head}\n{quiet}", name="quiet" if lost else "quieter")
        one = await server.opened()
        one.lose(1001)
        await server.clock.advance(100)
        assert (await server.player()).dropped_out is lost


async def test_evidence_23_partners_of_a_dropout_go_on(serve: Serve) -> None:
    source = '''
    DROPOUT_TOLERANCE = 30

    class Match(GroupCreatingWait):
        group_size = 2

    class Play(Page):
        """# Play"""

    class Together(SynchronizingWait):
        def all_here(page, group):
            ran.append([player.dropped_out for player in group.players])

    class After(Page):
        """# After"""

    page_order = [Match, Play, Together, After]
    '''
    server = await serve(source, players=2)
    one, two = await server.opened(1), await server.opened(2)
    await server.clock.advance(1)
    await server.submit(1)
    one = await server.opened(1)
    assert (await server.player(1))._about["page"] == "lab/Together"
    two.lose(1001)
    await server.clock.advance(29)
    assert (await server.player(1))._about["page"] == "lab/Together"
    await server.clock.advance(2)
    assert (await server.player(1))._about["page"] == "lab/After"
    assert one.reloads == 1
    assert _ran(server) == [[False, True]]


@pytest.mark.parametrize("value", ['"30"', "-1", "True", "None"])
def test_a_tolerance_that_is_none_is_a_loading_error(tmp_path: Any, value: str) -> None:
    file = tmp_path / "game.py"
    file.write_text(
        "from promptgrimoire import *\n\nDROPOUT_TOLERANCE = " + value + "\n\n"
        'class Task(Page):\n    """# Task"""\n\npage_order = [Task]\n'
    )
    with pytest.raises(ExperimentError, match=r"game\.py:3: DROPOUT_TOLERANCE: expected seconds"):
        load(file)
