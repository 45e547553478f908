"""Sessions of several apps: hooks of all of them, settings, secrets, edits, restarts."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from operator import setitem
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from promptgrimoire.commands import TaskStepped
from promptgrimoire.errors import AuthorError, NotFound, ReadOnly, Refused, UnknownField, UnknownSetting
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.versions import Experiments
from tests.engine.stage import HEAD, Server, code_of, settle

SECRET = "sk-live-0123456789"
FULL = """
[configs.full]
apps = ["first", "second"]
settings = { rate = 0.1, sizes = [2, 4], deep = { x = 1 } }

[settings]
fee = 5
"""
FIRST = '''
class One(Page):
    """# One"""

    @live
    def fee(page, player):
        return [get_setting("fee"), get_setting(player, "rate"), get_setting("tax", 7)]

    @live
    def misspelt(page, player):
        return get_setting("rat")

def new_session(session):
    session.order = [(session.app, session.config)]

def new_player(player):
    player.order = [player.app]
    player.score = 1

def on_join(player):
    player.order.append(f"join {player.session.app}")

def restart(session):
    session.order.append(("restart", session.app))

def ring(session):
    session.rung = (*session.get("rung", ()), session.app)

@every(10)
def tick(session):
    session.ticks = session.get("ticks", ()) + (session.app,)

page_order = [One]
'''
SECOND = '''
class Two(Page):
    """# Two"""

async def new_session(session):
    await asyncio.sleep(0)
    session.order.append((session.app, session.config))
    after(5, ring, session)

async def new_player(player):
    player.order.append(player.app)
    await asyncio.sleep(0)
    player.order.append(player.app)
    player.score += 1

def on_join(player):
    player.order.append(f"join {player.session.app}")

def restart(session):
    session.order.append(("restart", session.app))

def ring(session):
    session.rung = (*session.get("rung", ()), session.app)

@every(10)
def tick(session):
    session.ticks = session.get("ticks", ()) + (session.app,)

page_order = [Two]
'''


class Project(Server):
    """A server of one config of a project with these apps."""

    def __init__(self, folder: Path, first: str, second: str, toml: str, environment: Mapping[str, str]) -> None:
        super().__init__(folder, first, name="first", apps={"second": second})
        self.folder, self.config = folder, "full"
        (folder / "grimoire.toml").write_text(toml)
        self.experiments = Experiments(folder, environment)
        self.experiments.load_all()

    def write(self, app: str, source: str) -> None:
        (self.folder / f"{app}.py").write_text(HEAD + dedent(source))


Begin = Callable[..., Awaitable[Project]]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    servers: list[Project] = []

    async def begin(
        first: str = FIRST,
        second: str = SECOND,
        *,
        toml: str = FULL,
        players: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> Project:
        server = Project(tmp_path, first, second, toml, environment or {})
        await server.start()
        servers.append(server)
        await server.create(players)
        return server

    yield begin
    for server in servers:
        await server.crash()


async def test_new_session_and_new_player_of_all_apps_run_each_as_code_of_its_app(begin: Begin) -> None:
    server = await begin()
    player = await server.player()
    assert player.session.order == [("first", "full"), ("second", "full")]
    assert player.order == ["first", "second", "second"]
    assert (player.session.config, player.app) == ("full", "first")
    assert (player.score, player.within(app="first").score, player.within(app="second").score) == (2, 1, 2)


async def test_presence_hooks_of_all_apps_run(begin: Begin) -> None:
    server = await begin()
    await server.opened()
    assert (await server.player()).order[3:] == ["join first", "join second"]


async def test_after_and_every_keep_apps_apart(begin: Begin) -> None:
    server = await begin()
    await server.opened()
    await server.clock.advance(11)
    session = (await server.host()).state.session
    assert session.rung == ("second",)
    assert sorted(session.ticks) == ["first", "second"]
    await server.restart()
    await server.opened()
    await server.clock.advance(11)
    session = (await server.host()).state.session
    assert sorted(session.ticks)[:4] == ["first", "first", "second", "second"]
    assert session.order[2:] == [("restart", "first"), ("restart", "second")]


async def test_an_edit_of_any_app_reaches_the_running_session(begin: Begin) -> None:
    server = await begin()
    host = await server.host()
    server.write("second", SECOND + "\nADDED = 1\n")
    assert server.experiments.refresh("second")
    assert host.study.app("second").module.ADDED == 1
    assert host.study.app("first").module is server.module


async def test_declared_fields_hold_in_the_app_that_declares_them(begin: Begin) -> None:
    declared = "class Player(PlayerFields):\n    order: list\n    score: int = 5\n"
    server = await begin(FIRST.replace("player.score = 1", "player.order.append(str(player.score))") + declared)
    player = await server.player()
    assert player.order == ["first", "5", "second", "second"]
    host = await server.host()

    async def write(app: str, name: str, value: Any) -> None:
        async def writing() -> None:
            host.state.writing().app = app
            setattr(player, name, value)

        await host.perform(TaskStepped("write"), player, "write", writing())

    await write("second", "anything", 1)
    assert player.anything == 1
    with pytest.raises(UnknownField, match="declares its fields, and 'something' is not among them"):
        await write("first", "something", 1)
    with pytest.raises(AuthorError, match="Expected `int`, got `str`"):
        await write("second", "score", "many")


async def test_a_session_whose_config_does_not_load_waits_until_it_is_mended(begin: Begin) -> None:
    """Its browsers were told that their link leads nowhere, and its deadlines were forgotten."""
    server = await begin()
    await server.crash()
    server.write("second", "1 / 0\n")
    server.experiments = Experiments(server.folder)
    server.experiments.load_all()
    server.clock.jump(60)
    server.gateway = Gateway(server.experiments, server.journal, server.clock, server.settings, server._frame)
    await server.gateway.open()
    await server.clock.advance(30)  # after(5, …) is due: it is tried, and kept
    with pytest.raises(Refused, match="the app second does not load") as refused:
        await server.host()
    assert refused.value.code == "busy"
    server.write("second", SECOND)
    server.experiments.refresh("second")
    await server.clock.advance(10)
    assert (await server.host()).state.session.rung == ("second",)


async def test_a_session_of_a_config_that_is_gone_is_not_found(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    server = await begin()
    await server.crash()
    (server.folder / "grimoire.toml").write_text(FULL.replace("configs.full", "configs.other"))
    server.experiments = Experiments(server.folder)
    server.experiments.load_all()
    server.config = "other"
    server.clock.jump(60)
    await server.start()
    with pytest.raises(NotFound, match="no experiment 'full'"):
        await server.host()
    await server.clock.advance(10)
    assert [record.getMessage() for record in caplog.records if "deadline" in record.getMessage()] == [
        f"session {server.session} has a deadline, but cannot be loaded: no experiment 'full'"
    ]


SHARING = '''
from both import Shared

class Own(Page):
    """# Own of {{ app }}"""

    @live
    def go(page, player):
        move_to_page(player, Shared)

def new_session(session):
    session.order = []

def new_player(player):
    player.order, player.score = [], 0

page_order = [Own, Shared]
'''
BOTH = '''
class Shared(Page):
    """# Shared by {{ app }}"""

    @live
    def here(page, player):
        send_to(player, player.app, where=page)
        return player.app
'''


async def test_apps_may_share_a_page(begin: Begin, tmp_path: Path) -> None:
    """It was the page of the app that had been loaded last."""
    (tmp_path / "both.py").write_text(HEAD + BOTH)
    server = await begin(SHARING, SHARING)
    for app in ("first", "second"):
        assert f"Own of {app}" in (await server.page()).html
        browser = await server.opened()
        await browser.ask("go")
        await settle()
        assert f"Shared by {app}" in (await server.page()).html
        browser = await server.opened()
        assert await browser.ask("here") == app
        await settle()
        assert browser.events == [app]
        await server.submit()


# ---------------------------------------------------------------- settings


async def test_a_session_keeps_the_settings_that_it_was_made_with(begin: Begin) -> None:
    server = await begin()
    session = (await server.host()).state.session
    assert session.settings == {"rate": 0.1, "sizes": (2, 4), "deep": {"x": 1}, "fee": 5}
    (server.folder / "grimoire.toml").write_text(FULL.replace("0.1", "0.2"))
    server.experiments.refresh_project()
    await server.restart()
    assert (await server.host()).state.session.settings["rate"] == 0.1
    await server.create()
    assert (await server.host()).state.session.settings["rate"] == 0.2


async def test_settings_cannot_be_changed(begin: Begin) -> None:
    server = await begin()
    settings = (await server.host()).state.session.settings
    for attempt in (
        lambda: settings.update(rate=1),
        lambda: settings.pop("rate"),
        lambda: settings["deep"].clear(),
        lambda: setitem(settings["deep"], "x", 2),
    ):
        with pytest.raises(ReadOnly, match="the settings of a session stay as they were"):
            attempt()
    with pytest.raises(UnknownSetting, match="there is no setting 'rat'; did you mean 'rate'") as missing:
        settings["rat"]
    assert isinstance(missing.value, KeyError)


async def test_a_setting_is_found_from_anywhere(begin: Begin) -> None:
    server = await begin()
    browser = await server.opened()
    assert await browser.ask("fee") == [5, 0.1, 7]
    assert code_of(await browser.ask("misspelt")) == "error"
    assert "did you mean 'rate'" in (await server.host()).errors[-1][3]


# ---------------------------------------------------------------- secrets

LEAKY = '''
def new_session(session):
    session.order = []

def new_player(player):
    player.order, player.score = [], 0

class One(Page):
    """# One"""

    @live
    def length(page, player):
        return len(secret("KEY"))

    @live
    async def in_a_thread(page, player):
        return await in_thread(lambda: len(secret("KEY")))

    @live
    def store(page, player):
        player.header = {"Authorization": f"Bearer {secret('KEY')}"}

    @live
    def send(page, player):
        notify(player, player.session, secret("KEY"))

    @live
    def answer(page, player):
        return [secret("KEY")]

    @live
    def fail(page, player, text: str):
        raise ValueError(f"401 for {secret('KEY')}")

page_order = [One]
'''


async def test_a_secret_is_used_but_never_stored_sent_or_answered(begin: Begin) -> None:
    server = await begin(LEAKY, environment={"KEY": SECRET})
    browser = await server.opened()
    assert await browser.ask("length") == len(SECRET)
    assert await browser.ask("in_a_thread") == len(SECRET)
    for method in ("store", "send", "answer"):
        assert code_of(await browser.ask(method)) == "error", method
        assert "the value of the secret KEY was about to be stored or sent" in (await server.host()).errors[-1][3]
    assert not hasattr(await server.player(), "header")
    assert SECRET not in "".join(browser.texts)
    assert SECRET.encode() not in b"".join(row.values for row in await server.journal.read(server.session))


async def test_a_secret_is_masked_where_it_is_reported(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    server = await begin(LEAKY, environment={"KEY": SECRET})
    browser = await server.opened()
    assert code_of(await browser.ask("fail", f"is it {SECRET}")) == "error"
    await settle()
    assert "ValueError: 401 for [secret KEY]" in caplog.text
    assert 'with ["is it [secret KEY]"]' in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in str((await server.host()).errors)
