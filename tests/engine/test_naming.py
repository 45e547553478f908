"""What is said of a mistake at run time names the author's line."""

from __future__ import annotations

import logging

import pytest

from tests.engine.conftest import Serve

LAB = '''
import time

class Lab(Page):
    """# Lab"""

    @live
    def give(page, player):
        return {"f": page}

    @live
    def hold(page, player):
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            player.get("x")

page_order = [Lab]
'''


async def test_a_value_that_cannot_travel_is_refused_with_the_method_that_returned_it(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("give")
    assert "lab.py:14: what give returns: $.f: " in caplog.text
    assert "Traceback" not in caplog.text


async def test_evidence_19_the_watchdog_names_a_line_of_the_experiment_not_one_of_ours(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """It was built without being told whose files are whose: a loop that writes was placed in our own code."""
    server = await serve(LAB)
    one = await server.opened()
    with caplog.at_level(logging.WARNING):
        await one.ask("hold")
    assert "in Lab.hold" in caplog.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{{ player.round_number }}", "'round_number'; that is oTree's name; here it is: player.round"),
        (
            "{{ session.get_players() }}",
            "'get_players'; that is oTree's name; here it is: session.players, group.players",
        ),
        ("{{ field(form.agee) }}", "this page has no field 'agee'; did you mean 'age'?"),
    ],
)
async def test_names_that_are_not_there_are_translated(
    serve: Serve, caplog: pytest.LogCaptureFixture, body: str, said: str
) -> None:
    server = await serve(
        f'class Lab(Page):\n    """# Lab\n\n    {body}"""\n'
        '    fields = dict(age=IntegerField(label="Age"))\n\npage_order = [Lab]\n'
    )
    assert (await server.page(1)).status == 500
    assert said in caplog.text
