"""Time limits of pages: the browser posts what it has, the server acts without it, outages do not punish."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.authoring.experiment import load
from promptgrimoire.errors import ExperimentError
from promptgrimoire.runtime.host import Host
from promptgrimoire.state.records import Player
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

LAB = '''
class Task(Page):
    """# Task"""
    timeout = 60
    fields = dict(age=IntegerField(label="Age"), mood=StringField(label="Mood", default="fine"))

    def validate(page, player, data):
        ran.append("validate")

    def may_proceed(page, player):
        ran.append("may_proceed")

    def timeout_reached(page, player):
        ran.append("timeout_reached")

    def after_once(page, player, timed_out):
        ran.append(f"after_once {timed_out}")

class Free(Page):
    """# Free"""

class End(Page):
    """# End"""

page_order = [Task, Free, End]
'''
LATER = 2.5  # seconds that the server leaves to the browser (settings.grace.timeout)
BACK = 10.0  # … and after an outage (settings.grace.reconnect)


async def _begun(server: Server) -> tuple[Host, Player]:
    host, player = await server.host(), await server.player()
    await server.page()
    return host, player


def _page(player: Player) -> Any:
    return player._about["page"]


async def test_the_server_acts_a_moment_after_the_deadline_where_no_browser_does(serve: Serve) -> None:
    server = await serve(LAB)
    _, player = await _begun(server)
    await server.clock.advance(60)
    assert _page(player) == "lab/Task"
    await server.clock.advance(LATER)
    assert _page(player) == "lab/Free"
    assert server.module.ran == ["timeout_reached", "after_once True"]
    assert (player.age, player.mood) == (None, None)  # nobody chose the default
    await server.clock.advance(1000)
    assert _page(player) == "lab/Free"


async def test_the_browser_of_a_page_hears_that_its_time_is_over(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.clock.advance(60 + LATER)
    assert one.reloads == 1


async def test_a_browser_posts_what_was_touched_when_the_time_is_over(serve: Serve) -> None:
    server = await serve(LAB)
    _, player = await _begun(server)
    await server.clock.advance(60)
    await server.submit(data={"age": "41", "mood": "fine", "_touched": "age", "_timed_out": "1"})
    assert (player.age, player.mood, _page(player)) == (41, None, "lab/Free")
    assert server.module.ran == ["timeout_reached", "after_once True"]
    await server.clock.advance(100)
    assert server.module.ran == ["timeout_reached", "after_once True"]


async def test_a_browser_cannot_call_its_time_over_before_it_is(serve: Serve) -> None:
    server = await serve(LAB)
    _, player = await _begun(server)
    await server.clock.advance(50)
    rendering = await server.submit(data={"age": "", "mood": "fine", "_touched": "", "_timed_out": "1"})
    assert rendering is not None
    assert rendering.status == 422
    assert _page(player) == "lab/Task"


async def test_whoever_presses_next_in_time_is_not_out_of_time(serve: Serve) -> None:
    server = await serve(LAB)
    _, player = await _begun(server)
    await server.clock.advance(59)
    await server.submit(data={"age": "41", "mood": "fine", "_touched": ""})
    await server.clock.advance(100)
    assert _page(player) == "lab/Free"
    assert server.module.ran == ["validate", "may_proceed", "after_once False"]


async def test_a_reload_does_not_buy_time(serve: Serve) -> None:
    server = await serve(LAB)
    await _begun(server)
    first = server.configs[f"{server.session}.1"]["deadline"]
    await server.clock.advance(30)
    await server.page()
    config = server.configs[f"{server.session}.1"]
    assert config["deadline"] == first
    assert config["clock"] == server.clock.now()


async def test_a_page_without_a_limit_says_none(serve: Serve) -> None:
    server = await serve(LAB)
    await _begun(server)
    await server.clock.advance(63)
    await server.page()
    assert server.configs[f"{server.session}.1"]["deadline"] is None


@pytest.mark.parametrize("outage", [1.0, 30.0, 3600.0, 40 * 86_400.0])
async def test_evidence_27_a_page_timeout_that_fell_due_during_an_outage_is_not_forgotten(
    serve: Serve, outage: float
) -> None:
    server = await serve(LAB)
    await _begun(server)
    due = server.clock.now() + 60
    await server.clock.advance(59)
    await server.crash()
    server.clock.jump(outage)
    back = server.clock.now()
    await server.start()
    await server.clock.advance(5)  # house is kept, which finds the session: nobody asks for it
    player = await server.player()
    acts = max(due + LATER, back + BACK)
    await server.clock.advance(acts - server.clock.now() - 0.01)
    assert _page(player) == "lab/Task"
    await server.clock.advance(0.02)
    assert _page(player) == "lab/Free"
    assert server.module.ran == ["timeout_reached", "after_once True"]


async def test_evidence_27_a_browser_that_comes_back_after_an_outage_can_post_what_it_has(serve: Serve) -> None:
    server = await serve(LAB)
    await _begun(server)
    await server.clock.advance(59)
    await server.crash()
    server.clock.jump(600)
    await server.start()
    await server.clock.advance(BACK - 1)
    player = await server.player()
    assert _page(player) == "lab/Task"
    await server.submit(data={"age": "41", "mood": "good", "_touched": "age,mood", "_timed_out": "1"})
    assert (player.age, player.mood, _page(player)) == (41, "good", "lab/Free")


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_evidence_27_a_crash_around_the_deadline_runs_timeout_reached_once(serve: Serve, when: str) -> None:
    source = LAB.replace(
        'def timeout_reached(page, player):\n        ran.append("timeout_reached")',
        'async def timeout_reached(page, player):\n        player.reached = player.get("reached", 0) + 1\n'
        '        await gates.wait("reached")',
    )
    server = await serve(source)
    await _begun(server)
    if when == "before":
        server.journal.hold()  # what is done at the deadline does not get to the disk
    if when == "after":
        server.gates.open("reached")
    await server.clock.advance(60 + LATER)
    await server.restart()
    server.gates.open("reached")
    await server.clock.advance(BACK + 1)
    player = await server.player()
    assert (player.reached, _page(player)) == (1, "lab/Free")
    assert (await server.host()).deadlines.due("page:1") is None


async def test_a_failing_timeout_reached_holds_the_player_once_and_trying_again_goes_on(serve: Serve) -> None:
    source = LAB.replace(
        'ran.append("timeout_reached")', 'ran.append("reached")\n        player.session.broken or 1 / 0'
    )
    server = await serve(source + "\ndef new_session(session): session.broken = False\n")
    host, player = await _begun(server)
    await server.clock.advance(200)
    assert server.module.ran == ["reached"]
    assert (await server.page()).kind == "held"
    assert host.deadlines.next_due() is None
    await server.act(lambda: setattr(host.state.session, "broken", True))
    await host.flow.retry(player)
    assert _page(player) == "lab/Free"
    assert server.module.ran == ["reached", "reached", "after_once True"]


async def test_a_submission_that_is_still_being_checked_is_overtaken(serve: Serve) -> None:
    source = LAB.replace(
        "def validate(page, player, data):",
        'async def validate(page, player, data):\n        await gates.wait("validate")',
    )
    server = await serve(source)
    _, player = await _begun(server)
    await server.clock.advance(58)
    pending = server.submit(data={"age": "41", "mood": "fine", "_touched": "age"})
    posting = asyncio.ensure_future(pending)
    await server.clock.advance(2 + LATER)
    assert _page(player) == "lab/Free"
    server.gates.open("validate")
    await settle()
    await posting
    assert (_page(player), player.age, player.mood) == ("lab/Free", 41, None), "what was touched was answered in time"


async def test_a_timeout_hook_chooses_the_seconds_of_each_player(serve: Serve) -> None:
    source = LAB.replace("timeout = 60", "def timeout(page, player): return 10 * player.id if player.id < 3 else None")
    server = await serve(source, players=3)
    for id in (1, 2, 3):
        await server.page(id)
    await server.clock.advance(10 + LATER)
    assert [_page(await server.player(id)) for id in (1, 2, 3)] == ["lab/Free", "lab/Task", "lab/Task"]
    await server.clock.advance(1000)
    assert [_page(await server.player(id)) for id in (1, 2, 3)] == ["lab/Free", "lab/Free", "lab/Task"]


@pytest.mark.parametrize("found", ["0", "-1", "True", "'60'", "float('nan')", "float('inf')", "10**9"])
async def test_a_timeout_hook_that_gives_no_seconds_holds_the_player(serve: Serve, found: str) -> None:
    server = await serve(LAB.replace("timeout = 60", f"def timeout(page, player): return {found}"))
    assert (await server.page()).kind == "held"
    host = await server.host()
    assert "expected seconds" in host.errors[-1][-1]


async def test_a_page_that_somebody_else_moves_the_player_from_does_not_time_out(serve: Serve) -> None:
    server = await serve(LAB)
    _, player = await _begun(server)
    await server.clock.advance(30)
    await server.move(1)
    await server.clock.advance(500)
    assert _page(player) == "lab/Free"
    assert server.module.ran == []
    assert (await server.host()).deadlines.next_due() is None


@pytest.mark.parametrize("wait", ["GroupCreatingWait", "SynchronizingWait"])
async def test_a_wait_page_has_a_timeout_too(serve: Serve, wait: str) -> None:
    size = "group_size = 2" if wait == "GroupCreatingWait" else "def wait_for(page, player): return [1, 2]"
    source = f'''
    class Hall({wait}):
        {size}
        timeout = 30

        def timeout_reached(page, player):
            ran.append(f"reached {{player.id}}")

    class First(Page):
        """# First"""

    class After(Page):
        """# After"""

    page_order = [First, Hall, After]
    '''
    server = await serve(source, players=2)
    await server.submit(1)
    one = await server.opened(1)
    await server.clock.advance(31 + LATER)
    assert _page(await server.player(1)) == "lab/After"
    assert server.module.ran == ["reached 1"]
    assert one.reloads == 1


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("def timeout_reached(page, player): pass", "has no timeout; add timeout = 60"),
        ("timeout = 0", "expected seconds"),
        ("timeout = float('inf')", "expected seconds"),
    ],
)
def test_time_limits_that_cannot_be_meant_are_loading_errors(tmp_path: Any, line: str, mend: str) -> None:
    file = tmp_path / "game.py"
    file.write_text(
        f'from promptgrimoire import *\n\nclass Task(Page):\n    """# Task"""\n    {line}\n\npage_order = [Task]\n'
    )
    with pytest.raises(ExperimentError, match=mend) as caught:
        load(file)
    assert "game.py:5: " in str(caught.value)
