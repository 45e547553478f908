"""Forms of stays: which fields a page shows, in which order, filled in with what."""

from __future__ import annotations

import asyncio
import re

import pytest

from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

DYNAMIC = '''
class One(Page):
    """# One

    {{{{ fields() }}}}"""

    {a}def fields(page, player):
        ran.append("fields")
        {wait}
        names = ["a", "b", "c", "d", "e", "f"]
        player.rng.shuffle(names)
        return {{name: StringField(label=name.upper(), optional=True) for name in names}}

class Two(Page):
    """# Two

    {{{{ settings }}}}"""

page_order = [One, Two]
'''


def shown(html: str) -> list[str]:
    """Names of the fields, in order."""
    return re.findall(r'<input[^>]* name="([a-f])"', html)


@pytest.mark.parametrize("a", ["", "async "])
async def test_fields_are_asked_for_once_per_stay_and_keep_their_order(serve: Serve, journal: Journal, a: str) -> None:
    wait = "await asyncio.sleep(0)" if a else "pass"
    server = await serve(DYNAMIC.format(a=a, wait=wait), journal=journal)
    order = shown((await server.page()).html)
    assert sorted(order) == list("abcdef")
    for _ in range(3):
        assert shown((await server.page()).html) == order
    assert server.module.ran == ["fields"]
    await server.restart()
    assert shown((await server.page()).html) == order
    assert server.module.ran == ["fields"] * 2
    assert await server.submit(data={"a": "x", "z": "forged"}) is None
    player = await server.player()
    assert player.fields() == {name: "x" if name == "a" else None for name in order}
    assert server.module.ran == ["fields"] * 2
    assert "{}" in (await server.page()).html
    await server.move(0)
    await server.page()
    assert server.module.ran == ["fields"] * 3


async def test_two_tabs_at_once_see_one_order(serve: Serve) -> None:
    server = await serve(DYNAMIC.format(a="async ", wait='await gates.wait("fields")'))
    pages = [asyncio.ensure_future(server.page()) for _ in range(2)]
    await settle()
    server.gates.open("fields")
    one, other = [shown((await page).html) for page in pages]
    assert one == other
    assert server.module.ran == ["fields"]


async def test_a_submission_before_anything_was_shown_is_checked_too(serve: Serve) -> None:
    server = await serve(DYNAMIC.format(a="", wait="pass"))
    assert await server.submit(data={"b": "y"}) is None
    assert (await server.player()).b == "y"


async def test_another_version_of_the_code_asks_anew(serve: Serve) -> None:
    server = await serve(DYNAMIC.format(a="", wait="pass"))
    await server.page()
    server.file.write_text(server.file.read_text().replace("name.upper()", "'New ' + name"))
    assert server.experiments.refresh("lab") is True
    await settle()
    assert "New a" in (await server.page()).html


async def test_fields_that_are_no_dict_are_the_authors_mistake(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            def fields(page, player):
                return [1, 2]

        page_order = [One]
        '''
    )
    assert (await server.page()).kind == "held"
    host = await server.host()
    assert "One.fields: expected a dict of fields, found [1, 2]" in host.errors[-1][3]


async def test_time_that_is_up_leaves_an_accepted_submission_alone(serve: Serve) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

            fields = dict(code=StringField(label="Code"))

            async def after_once(page, player, timed_out):
                ran.append(timed_out)
                await gates.wait("after")

            def after_always_once(page, player, timed_out):
                ran.append(timed_out)

        class Two(Page):
            """# Two"""

        page_order = [One, Two]
        '''
    )
    submitting = asyncio.ensure_future(server.submit(data={"code": "x"}))
    await settle()
    host = await server.host()
    player = await server.player()
    host.flow.time_out(player, 1)
    host.flow.advance(player, 1)
    await settle()
    server.gates.open("after")
    assert await submitting is None
    assert (player.code, server.module.ran) == ("x", [False, False])
    assert await where(server) == "lab/Two"


async def where(server: Server) -> str:
    found: str = (await server.player())._about["page"]
    return found
