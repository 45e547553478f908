"""Who is here: connections and grace; the hooks that hear of it; what a restart makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.journal.memory import MemoryJournal
from tests.engine.conftest import Serve
from tests.engine.stage import settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def who(page, player):
        return [other.name for other in player.session.players if other.online] and \\
            [other.id for other in player.session.players if other.online]

def on_join(player):
    player.joins = player.get("joins", 0) + 1
    ran.append(f"join {player.id}")

def on_connect(player):
    player.session.log.append(["connect", player.id])
    notify(player, others_in_session(player), "here", event="Here")

def on_disconnect(player, reason):
    player.session.log.append(["disconnect", player.id, reason])
    notify(player, others_in_session(player), "gone", event="Gone", where=...)

def new_session(session):
    session.log = []

page_order = [Lab]
'''


async def test_evidence_22_closing_one_of_two_tabs_changes_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    one, two = await server.opened(), await server.opened()
    one.lose()
    await server.clock.advance(60)
    host = await server.host()
    assert host.state.player(1).online is True
    assert host.state.session.log == [["connect", 1]]
    two.lose(1001)
    await server.clock.advance(4.9)
    assert host.state.player(1).online is True
    await server.clock.advance(0.2)
    assert host.state.player(1).online is False
    assert host.state.session.log == [["connect", 1], ["disconnect", 1, "left"]]


async def test_evidence_22_a_late_close_of_the_old_socket_silences_nobody(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    late = one.ghost()
    await one.connect()
    late()
    late()
    await server.clock.advance(60)
    assert await one.ask("who") == [1]
    assert (await server.host()).state.session.log == [["connect", 1]]


async def test_coming_back_within_the_grace_is_no_disconnect(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    for _ in range(3):
        one.lose()
        await server.clock.advance(4)
        await one.connect()
    await server.clock.advance(10)
    assert two.events == []
    one.lose()
    await server.clock.advance(6)
    assert two.events == ["gone"]
    await one.connect()
    await settle()
    assert two.events == ["gone", "here"]
    assert server.module.ran == ["join 1", "join 2"]  # on_join once ever


async def test_a_page_just_delivered_gives_its_browser_time_to_connect(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose()
    await server.clock.advance(4)
    await server.page()
    await server.clock.advance(4)
    assert (await server.player()).online is True
    await server.clock.advance(2)
    assert (await server.player()).online is False


async def test_a_restart_within_the_grace_is_no_disconnect_and_no_second_connect(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await settle()
    server.clock.jump(1000)  # the outage does not count
    host = await server.restart()
    assert host.state.player(1).online is True
    await server.clock.advance(4)
    await one.connect()
    await server.clock.advance(60)
    assert host.state.session.log == [["connect", 1]]
    assert server.module.ran == ["join 1"]
    assert host.state.player(1).joins == 1


async def test_who_does_not_come_back_after_a_restart_is_disconnected_after_the_grace(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    await server.opened(1)
    two = await server.opened(2)
    await settle()
    host = await server.restart()
    await two.connect()
    await server.clock.advance(4.9)
    assert host.state.player(1).online is True
    await server.clock.advance(0.2)
    assert host.state.player(1).online is False
    assert host.state.session.log[-1] == ["disconnect", 1, "the server was restarted"]
    assert two.events == ["here", "gone"] or two.events == ["gone"]
    host = await server.restart()
    assert (host.state.player(1).online, host.state.player(2).online) == (False, True)


async def test_who_had_been_away_before_the_restart_stays_away(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose()
    await server.clock.advance(6)
    host = await server.restart()
    assert host.state.player(1).online is False
    await one.connect()
    assert [entry[0] for entry in host.state.session.log] == ["connect", "disconnect", "connect"]


async def test_hooks_that_fail_do_not_disturb_the_count(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        def on_connect(player):
            player.half = True
            raise ValueError("on purpose")

        def on_disconnect(player, reason):
            player.big = "x" * 2_000_000

        page_order = [Lab]
        '''
    )
    one = await server.opened()
    await settle()
    host = await server.restart()
    assert host.state.player(1).online is True
    assert host.state.player(1).fields() == {}
    await one.connect()
    one.lose()
    await server.clock.advance(6)
    assert host.state.player(1).online is False
    host = await server.restart()
    assert host.state.player(1).online is False


async def test_on_disconnect_may_leave_the_reason_out(serve: Serve) -> None:
    """The reason was passed on to hooks that do not take one: they failed each time, and nobody heard of it."""
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        def on_disconnect(player):
            player.gone = True

        page_order = [Lab]
        '''
    )
    one = await server.opened()
    one.lose()
    await server.clock.advance(6)
    assert (await server.host()).state.player(1).gone is True


async def test_slow_hooks_of_coming_and_going_are_carried_out_once(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        async def on_join(player):
            player.joins = player.get("joins", 0) + 1
            await gates.wait("join")
            player.welcomed = True

        page_order = [Lab]
        '''
    )
    one = await server.opened()
    one.lose()
    await server.clock.advance(6)
    await one.connect()
    server.gates.open("join")
    await settle()
    player = await server.player()
    assert (player.joins, player.welcomed, player.online) == (1, True, True)


class Choosy(MemoryJournal):
    """Takes nothing while it is `full`, as one does whose queue is; no session loses what it has in memory."""

    full = False

    def append(self, *row: Any) -> None:
        if self.full:
            raise JournalUnavailable("too many entries wait for the disk")
        super().append(*row)


async def test_who_comes_while_storage_takes_nothing_has_come_once_it_does(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """on_join and on_connect were skipped until the player went and came again."""
    server = await serve(LAB, journal=Choosy())
    one = server.browser()
    await one.load()
    await settle()
    server.journal.full = True
    await one.connect()
    await server.clock.advance(3)
    host = await server.host()
    assert host.failure is None
    assert host.state.session.log == []
    assert caplog.text.count("on_connect of player 1 waits for storage") == 1
    assert "Traceback" not in caplog.text
    server.journal.full = False
    await server.clock.advance(1)
    assert host.state.session.log == [["connect", 1]]
    assert host.state.player(1).joins == 1
    await host.durable()
    host = await server.restart()
    assert host.state.player(1).online is True
    await one.connect()
    assert host.state.session.log == [["connect", 1]]


async def test_who_goes_while_storage_takes_nothing_has_gone_and_come_in_that_order(serve: Serve) -> None:
    server = await serve(LAB, journal=Choosy())
    one = await server.opened()
    await settle()
    server.journal.full = True
    one.lose()
    await server.clock.advance(6)
    await one.connect()
    await server.clock.advance(6)
    host = await server.host()
    assert host.state.session.log == [["connect", 1]]
    server.journal.full = False
    await server.clock.advance(1)
    assert host.state.session.log == [["connect", 1], ["disconnect", 1, "lost"], ["connect", 1]]
    assert server.module.ran.count("join 1") == 1


async def test_hooks_that_wait_are_not_run_again_where_storage_refuses_a_later_part(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        async def on_connect(player):
            ran.append("began")
            player.half = True
            await gates.wait("x")
            player.whole = True

        page_order = [Lab]
        ''',
        journal=Choosy(),
    )
    await server.opened()
    server.journal.full = True
    server.gates.open("x")
    await settle()
    server.journal.full = False
    await server.clock.advance(10)
    assert server.module.ran == ["began"]
    assert (await server.player()).fields() == {"half": True}
