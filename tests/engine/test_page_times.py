"""How long players are on their pages: to the millisecond, from both clocks; what cannot be true counts for nothing."""

from __future__ import annotations

import pytest

from promptgrimoire.errors import ReadOnly
from promptgrimoire.state.records import Player
from tests.engine.conftest import Serve
from tests.engine.stage import Server

LAB = '''
class Task(Page):
    """# Task"""
    timeout = 60
    fields = dict(age=IntegerField(label="Age"))

    def after_once(page, player):
        ran.append(player.page_times[-1].seconds)

class Skipped(Page):
    """# Skipped"""
    show = lambda page, player: False

class End(Page):
    """# End"""

page_order = [Task, Skipped, End]
'''
WRONG = 7200.25  # seconds by which the participant's clock is slow


async def _begun(serve: Serve) -> tuple[Server, Player, float]:
    server = await serve(LAB)
    await server.page()
    return server, await server.player(), server.clock.now()


def _times(pressed: float, watch: float, seen: float | str = 0.05, wrong: float = WRONG) -> str:
    """What static/times/times.js posts: at the time `pressed`, `watch` seconds after the page was asked for."""
    last = seen if isinstance(seen, str) else seen * 1000
    return f"{pressed * 1000},{watch * 1000},{last},{(pressed - wrong) * 1000}"


async def test_both_clocks_and_their_offset_are_kept_to_the_millisecond(serve: Serve) -> None:
    server, player, entered = await _begun(serve)
    await server.clock.advance(12.5)
    pressed = entered + 12.4
    await server.submit(data={"age": "3", "_times": _times(pressed, 12.2, seen=0.066)})
    (time,) = player.page_times
    assert (time.page, time.app, time.round, time.timed_out) == ("Task", "lab", 0, False)
    assert (time.entered, time.left) == (entered, entered + 12.5)
    assert (time.shown, time.submitted) == (round(pressed - 12.2 + 0.066, 3), round(pressed, 3))
    assert time.offset == WRONG
    assert time.seconds == 12.134
    assert server.module.ran == [12.134]


async def test_it_survives_a_restart_and_pages_that_were_not_shown_have_none(serve: Serve) -> None:
    server, _, entered = await _begun(serve)
    await server.submit(data={"age": "3", "_times": _times(entered, 0.5)})
    await server.restart()
    player = await server.player()
    await server.clock.advance(3)
    await server.submit()
    assert [time.page for time in player.page_times] == ["Task", "End"]
    assert player.page_times[1].seconds == 3


async def test_a_refused_submission_does_not_begin_the_time_anew(serve: Serve) -> None:
    server, player, entered = await _begun(serve)
    await server.clock.advance(5)
    await server.submit(data={"age": "x", "_times": _times(entered + 5, 4.9, seen=0.1)})
    await server.clock.advance(5)
    await server.submit(data={"age": "3", "_times": _times(entered + 10, 4.0, seen=0.1)})
    assert player.page_times[0].seconds == pytest.approx(9.8)


@pytest.mark.parametrize("way", ["time", "move"])
async def test_without_a_submission_there_is_the_servers_clock(serve: Serve, way: str) -> None:
    server, player, _ = await _begun(serve)
    if way == "time":
        await server.clock.advance(70)
    else:
        await server.clock.advance(40)
        await server.move(2)
    (time,) = player.page_times
    assert (time.shown, time.submitted, time.offset, time.timed_out) == (None, None, None, way == "time")
    assert time.seconds == (62.5 if way == "time" else 40)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "1,2",
        "a,b,c,d",
        "nan,nan,nan,nan",
        "inf,0,0,0",
        "1e999,1,1,1",
        "0,0,0,0",
        ",,,",
        "9" * 500,
        "ENTERED,-100,0,0",
        "ENTERED,99999999,0,0",
        "FUTURE,0,0,0",
        "\u0661\u0662\x00,1,2,3",
    ],
)
async def test_forged_times_count_for_nothing(serve: Serve, forged: str) -> None:
    server, player, entered = await _begun(serve)
    await server.clock.advance(10)
    text = forged.replace("ENTERED", str(entered * 1000)).replace("FUTURE", str((entered + 100) * 1000))
    await server.submit(data={"age": "3", "_times": text})
    (time,) = player.page_times
    assert (time.shown, time.submitted, time.offset, time.seconds) == (None, None, None, 10)


async def test_a_time_before_the_page_was_there_is_when_it_was_there(serve: Serve) -> None:
    server, player, entered = await _begun(serve)
    await server.clock.advance(10)
    await server.submit(data={"age": "3", "_times": _times(entered + 12, 13.5, seen=0.0)})
    (time,) = player.page_times
    assert (time.shown, time.submitted) == (entered, entered + 10)


async def test_a_browser_that_does_not_know_when_it_showed_the_page(serve: Serve) -> None:
    server, player, entered = await _begun(serve)
    await server.clock.advance(10)
    await server.submit(data={"age": "3", "_times": _times(entered + 9, 8, seen="")})
    (time,) = player.page_times
    assert (time.shown, time.submitted, time.seconds) == (None, entered + 9, 9)


async def test_a_submission_posted_again_at_another_time_is_the_same_one(serve: Serve) -> None:
    server, player, entered = await _begun(serve)
    one = await server.submit(data={"age": "x", "_times": _times(entered + 1, 1)}, submission="same")
    seq = (await server.host()).chain.seq
    await server.clock.advance(1)
    two = await server.submit(data={"age": "x", "_times": _times(entered + 2, 2)}, submission="same")
    assert one is not None
    assert two is not None
    assert (await server.host()).chain.seq == seq
    with pytest.raises(ReadOnly):
        await server.act(lambda: setattr(player, "page_times", []))
