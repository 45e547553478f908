"""Faults of evidence.md, against the real runtime in this process: joining, credentials, misspelt names."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from promptgrimoire.authoring.experiment import load
from promptgrimoire.errors import ExperimentError
from promptgrimoire.ids import SessionId, new_token, session_of
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.runtime.clock import SystemClock
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.host import Host
from promptgrimoire.runtime.versions import Experiments
from promptgrimoire.settings import Settings
from promptgrimoire.web.app import build_app
from promptgrimoire.web.assets import Assets
from promptgrimoire.web.frame import page_frame
from tests.engine.conftest import serve
from tests.engine.stage import Server, code_of, settle

__all__ = ["serve"]

SOURCE = '''
from promptgrimoire import *

class First(Page):
    """# First of {{ player.name }}

    {{ player.secret }}
    """

    def before_once(page, player):
        player.entered = player.get("entered", 0) + 1

class Second(Page):
    """# Second"""

def new_player(player):
    player.secret = f"secret-of-{player.id}-"
    player.session.joined += 1

def new_session(session):
    session.joined = 0

page_order = [First, Second]
'''
PREVIEWS = [
    {"user-agent": "Mozilla/5.0 (compatible; LinkExpander; preview)"},
    {"user-agent": "WhatsApp/2.23.20.0"},
    {"sec-purpose": "prefetch;prerender", "user-agent": "Mozilla/5.0"},
    {"purpose": "prefetch", "x-moz": "prefetch"},
    {"user-agent": "SafeLinks mail scanner", "cookie": "visitor=" + "a" * 26},
]


@dataclass
class Study:
    """One session of SOURCE, and the application that serves it."""

    gateway: Gateway
    host: Host
    app: object

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url="http://lab.test")

    @property
    def join(self) -> str:
        return f"/s/{self.host.id}/"

    @property
    def joined(self) -> int:
        """How many the author's new_player has seen."""
        found: int = self.host.state.session.joined
        return found


@pytest.fixture
async def study(tmp_path: Path, assets: Assets) -> AsyncIterator[Study]:
    (tmp_path / "lab.py").write_text(SOURCE)
    experiments = Experiments(tmp_path / "lab.py")
    experiments.load_all()
    clock = SystemClock(asyncio.get_running_loop())
    settings = Settings()
    gateway = Gateway(experiments, MemoryJournal(), clock, settings, page_frame(assets))
    await gateway.open()
    host = await gateway.create_session("lab")
    yield Study(gateway, host, build_app(gateway, settings, assets))
    await gateway.close()


@pytest.mark.parametrize("headers", PREVIEWS, ids=lambda headers: next(iter(headers.values()))[:20])
async def test_evidence_25_link_previews_and_prefetches_consume_no_place(study: Study, headers: dict[str, str]) -> None:
    async with study.browser() as scanner:
        for method in ("GET", "HEAD", "GET"):
            answer = await scanner.request(method, study.join, headers=headers)
            assert answer.status_code == 200
    assert (study.joined, len(study.host.state.everybody)) == (0, 0)
    async with study.browser() as person:  # and the person who was sent the link gets the first place
        assert (await person.post(study.join)).headers["location"]
    assert (study.joined, study.host.state.player(1).entered) == (1, 1)


@pytest.mark.parametrize("headers", PREVIEWS[:3], ids=lambda headers: next(iter(headers.values()))[:20])
async def test_evidence_25_a_preview_of_a_participants_link_moves_nobody(study: Study, headers: dict[str, str]) -> None:
    async with study.browser() as person, study.browser() as scanner:
        link = (await person.post(study.join)).headers["location"]
        before = study.host.chain.seq
        for _ in range(3):
            assert "First of" in (await scanner.get(link, headers=headers)).text
        player = study.host.state.player(1)
        assert (study.joined, player.entered, player.show_page, study.host.chain.seq) == (1, 1, 0, before)


async def test_evidence_25_one_person_holds_one_place_whatever_they_press(study: Study) -> None:
    async with study.browser() as person:
        await person.get(study.join)
        answers = await asyncio.gather(*(person.post(study.join) for _ in range(8)))
        answers.append(await person.post(study.join))
        assert len({answer.headers["location"] for answer in answers}) == 1
    assert study.joined == 1


async def test_evidence_25_one_label_is_one_place_in_two_browsers_at_once(study: Study) -> None:
    async with study.browser() as laptop, study.browser() as phone:
        answers = await asyncio.gather(*(one.post(study.join + "?label=P07") for one in (laptop, phone) * 3))
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert (study.joined, study.host.state.player(1).label) == (1, "P07")


async def test_evidence_39_only_the_unguessable_token_opens_anything(
    study: Study, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with study.browser() as person, study.browser() as stranger:
        link = (await person.post(study.join + "?label=P07")).headers["location"]
        token = link.split("/")[2]
        secret = token.partition("-")[2]
        assert (session_of(token), len(secret)) == (study.host.id, 26)  # 32 symbols: 130 bits
        player = study.host.state.player(1)
        near = token[:-1] + ("a" if token[-1] != "a" else "b")
        foreign = new_token(SessionId(study.host.id))
        for guess in (player.name, "1", "P07", study.host.id, near, token.upper(), foreign, secret, token[:-1], "ü"):
            for address in (f"/p/{guess}/", f"/admin/{guess}/"):
                answer = await stranger.get(address)
                assert answer.status_code == 404, guess
                assert "secret-of" not in answer.text
            assert (await stranger.post(f"/p/{guess}/", data={"_stay": "1"})).status_code in (404, 405)
        assert player.show_page == 0
        page = await person.get(link)
        assert "secret-of-1-" in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("promptgrimoire")]
    assert secret not in "\n".join(ours)


def test_evidence_39_tokens_are_never_alike() -> None:
    tokens = {new_token(SessionId("abcdefghijkm")) for _ in range(2000)}
    assert len(tokens) == 2000
    for place in range(13, 39):  # every place takes every symbol
        assert len({token[place] for token in tokens}) == 32


FLOODED = """
class A(Page):
    '''# A'''
    @live
    def add(page, player):
        player.session.count += 1
        return player.session.count

def new_session(session): session.count = 0
page_order = [A]
"""


async def test_evidence_39_a_flood_of_calls_is_refused_and_hurts_nobody_else(serve: object) -> None:
    server: Server = await serve(FLOODED, players=2)  # type: ignore[operator]
    flooder, other = await server.opened(1), await server.opened(2)
    numbers = [flooder.invoke("add") for _ in range(1000)]
    await settle(50)
    await (await server.host()).durable()
    await settle(50)
    outcomes = [flooder.settled[number] for number in numbers]
    refused = [outcome for outcome in outcomes if code_of(outcome) == "rate"]
    burst = server.settings.limits.call_burst
    assert len(refused) == 1000 - burst  # no time has passed on the server's clock
    assert await other.ask("add") == burst + 1
    await server.clock.advance(1)
    assert await flooder.ask("add") == burst + 2  # and it is over a second later


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        ("class A(Page):\n    '# A'\n    def befor_once(page, player): pass\npage_order = [A]", "before_once"),
        ("class A(Page):\n    '# A'\n    def shwo(page, player): pass\npage_order = [A]", "show"),
        ("class A(Page):\n    '# A'\n    templat = 'B.html'\npage_order = [A]", "template"),
        ("class A(Page):\n    '# A'\n    def is_displayed(page, player): pass\npage_order = [A]", "show"),
        ("class A(Page):\n    '# A'\npage_ordr = [A]", "page_order"),
        ("class A(Page):\n    '# A'\npage_order = ['A']", "without quotes"),
        ("class A(Page):\n    '# A'\npage_order = [A]\ndef new_playr(player): pass", "new_player"),
        ("class A(Page):\n    '# A'\npage_order = [A]\ndef creating_session(subsession): pass", "new_session"),
    ],
)
def test_evidence_41_a_misspelt_name_is_an_error_with_its_mend(tmp_path: Path, source: str, mend: str) -> None:
    (tmp_path / "lab.py").write_text("from promptgrimoire import *\n\n" + source + "\n")
    with pytest.raises(ExperimentError) as refused:
        load(tmp_path / "lab.py")
    (problem,) = refused.value.problems
    assert re.match(r"lab\.py:\d+: ", problem)
    assert mend in problem
