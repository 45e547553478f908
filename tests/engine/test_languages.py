"""Whose language a text is in: in hooks, in live methods, in what is sent to others, before and after a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import Serve

GERMAN = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8"\n\nmsgid "Hello {name}"\nmsgstr "Hallo {name}"\n'
SOURCE = '''
    GREETING = _("Hello {name}", name="all")

    def language(player):
        return player.get("speaks")

    def new_session(session):
        session.text = _("Hello {name}", name="session")

    def new_player(player):
        player.speaks = "de" if player.id == 1 else "en"
        player.text = _("Hello {name}", name="player")

    class A(Page):
        """# {{ _("Hello {name}", name=app) }} {{ fmtnum(1.5) }}"""

        def templatevars(page, player):
            ran.append(f"{GREETING}")

        @live
        def say(page, player):
            other = player.session.players[2 - player.id]
            return [_("Hello {name}", name="me"), _("Hello {name}", name="you", player=other), fmtnum(1.5)]

        @live
        async def change(page, player, code: str):
            player.speaks = code
            before = _("Hello {name}", name=1)
            await asyncio.sleep(0)
            return [before, _("Hello {name}", name=2)]

    page_order = [A]
'''


@pytest.fixture
def german(tmp_path: Path) -> None:
    (tmp_path / "locales").mkdir()
    (tmp_path / "locales" / "de.po").write_text(GERMAN, "utf-8")


@pytest.mark.usefixtures("german")
async def test_texts_are_in_the_language_of_whoever_they_are_for(serve: Serve) -> None:
    server = await serve(SOURCE, players=2)
    session = (await server.host()).state.session
    assert session.text == "Hello session"
    assert [player.text for player in session.players] == ["Hallo player", "Hello player"]
    ann, bo = [await server.opened(1), await server.opened(2)]
    assert "Hallo lab 1,50" in (await server.page(1)).html
    assert "Hello lab 1.50" in (await server.page(2)).html
    assert set(server.module.ran) == {"Hallo all", "Hello all"}
    assert await ann.ask("say") == ["Hallo me", "Hello you", "1,50"]
    assert await bo.ask("say") == ["Hello me", "Hallo you", "1.50"]


@pytest.mark.usefixtures("german")
async def test_a_change_counts_at_once_and_after_a_restart(serve: Serve) -> None:
    server = await serve(SOURCE, players=2)
    bo = await server.opened(2)
    assert await bo.ask("change", "de") == ["Hallo 1", "Hallo 2"]
    assert "Hallo lab" in (await server.page(2)).html
    config = server.configs[f"{server.session}.2"]
    assert config["texts"]["close"] == "Schließen"
    host = await server.restart()
    assert "Hallo lab" in (await server.page(2)).html
    token = next(token for token, player in host.state.tokens.items() if player == 2)
    assert (host.language(token).tag, host.language().tag, host.language("nobody").tag) == ("de", "en", "en")


@pytest.mark.usefixtures("german")
async def test_nonsense_stops_nobody(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(SOURCE, players=1)
    ann = await server.opened(1)
    assert await ann.ask("change", "klingon") == ["Hello 1", "Hello 2"]
    assert "Hello lab" in (await server.page(1)).html
    assert len([one for one in caplog.messages if "klingon" in one]) == 1
