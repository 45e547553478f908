"""Every Python block of the documentation runs: experiments are loaded without a warning and played, fragments run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from promptgrimoire.authoring.experiment import load
from promptgrimoire.authoring.project import read_project
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.commands import SessionCreated
from promptgrimoire.errors import ExperimentError
from promptgrimoire.journal.entries import Chain, Entry
from promptgrimoire.state.patches import Patch
from tests.docs.snippets import CODES, ROOT, Play, Snippet, snippets
from tests.engine.stage import Browser, Server
from tests.examples.stage import CHROMIUM_FLAGS
from tests.examples.stage import Server as Process

ALL = list(snippets())
PLAYED = [snippet for snippet in ALL if snippet.experiment or snippet.plays]
REFUSED = [snippet for snippet in ALL if snippet.refused]


class Written(Server):
    """A server of a file that is there already."""

    def __init__(self, file: Path) -> None:
        super().__init__(file.parent, "")
        self.file.unlink()
        self.file = self._target = file
        self.name = self.config = file.stem
        self.apps = [file.stem]


def test_there_are_snippets_and_each_is_run_by_a_test() -> None:
    assert {snippet.page for snippet in PLAYED} >= {"README.md", "authoring.md", "state-and-journal.md", "values.md"}
    assert sum(bool(snippet.plays) for snippet in PLAYED) > 10
    assert [
        str(snippet)
        for snippet in ALL
        if snippet not in [*PLAYED, *REFUSED] and snippet.page not in ("journal.md", "projects.md")
    ] == []


async def _outcome(browser: Browser, play: Play) -> Any:
    """What the call gives; it may take as long as a snippet sleeps."""
    n = browser.invoke(play.method, *play.arguments)
    for _ in range(1000):
        if n in browser.settled:
            break
        await asyncio.sleep(0.005)
    return browser.settled[n]


@pytest.mark.parametrize("snippet", PLAYED, ids=str)
async def test_snippet(snippet: Snippet, tmp_path: Path) -> None:
    file = tmp_path / f"{snippet.experiment or 'fragment'}.py"
    file.write_text(snippet.source())
    experiment = load(file)
    assert experiment.warnings == ()
    server = Written(file)
    await server.start()
    try:
        await server.create(2)
        for player in (2, 1):
            browser = await server.opened(player)
            rendering = await server.page(player)
            assert rendering.kind == "page", str(snippet)
        for play in snippet.plays:
            outcome = await _outcome(browser, play)
            if play.outcome in CODES:
                outcome = outcome["code"] if isinstance(outcome, dict) else outcome
            assert outcome == play.outcome, f"{snippet}: {play}"
    finally:
        await server.crash()


@pytest.mark.parametrize("snippet", REFUSED, ids=str)
def test_what_is_refused(snippet: Snippet, tmp_path: Path) -> None:
    (tmp_path / "fragment.py").write_text(snippet.source())
    with pytest.raises(ExperimentError) as refused:
        load(tmp_path / "fragment.py")
    assert snippet.refused in str(refused.value)


def test_the_projects_page_is_true(tmp_path: Path) -> None:
    (snippet,) = [snippet for snippet in ALL if snippet.page == "projects.md"]
    (tmp_path / "grimoire.py").write_text(snippet.code)
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "projects.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "grimoire.toml").write_text(blocks[0])
    (tmp_path / "secrets.toml").write_text(blocks[1])
    secrets = Secrets()
    project = read_project(tmp_path, secrets)
    assert list(project.configs) == ["full", "pilot", "market_of_2", "market_of_4", "market_of_8"]
    assert project.configs["full"].settings == {"rate": 0.1, "showup_fee": 5}
    assert project.configs["market_of_4"].settings == {"group_size": 4}
    assert (project.settings, project.language) == ({"rate": 0.05}, "de")
    assert secrets.get("OPENAI_API_KEY") == "sk-…"


def test_the_digest_of_the_journals_page_is_the_journals() -> None:
    (snippet,) = [snippet for snippet in ALL if snippet.page == "journal.md"]
    names: dict[str, Any] = {}
    exec(snippet.code, names)
    chain, before = Chain("k3v9"), b""
    for seq in (1, 2):
        patches = [Patch("s", "set", [name]) for name in "abcd"]
        entry = Entry(seq=seq, at=1.5, cause=SessionCreated("k3v9", "market"), patches=patches)
        values = [b"null", b'"x"', b"1", b"[2]", b"{}", b"null"]
        row = chain.row(entry, values)
        assert names["digest"](before, "k3v9", row.text, values, row.salt) == row.digest
        before = row.digest


@pytest.mark.browser
async def test_the_readmes_example_counts_in_two_browsers(chromium: str, tmp_path: Path) -> None:
    (snippet,) = [snippet for snippet in ALL if snippet.page == "README.md"]
    assert sum(bool(line.strip()) for line in snippet.code.splitlines()) == 12
    (tmp_path / "counter.py").write_text(snippet.source())
    server = Process(tmp_path / "counter.py", tmp_path / "database.sqlite3", players=2)
    try:
        async with async_playwright() as play:
            browser = await play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
            pages = [await browser.new_page() for _ in range(2)]
            for page, link in zip(pages, server.players, strict=True):
                await page.goto(link)
            for page, count in ((pages[0], 1), (pages[1], 2), (pages[0], 3)):
                await page.get_by_role("button", name="Add one").click()
                for each in pages:
                    await each.get_by_text(f"Together: {count}").wait_for(timeout=5000)
            await browser.close()
    finally:
        complaints = server.stop()
    assert "ERROR" not in complaints


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    for page in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]:
        for target in _links(page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def _links(text: str) -> list[str]:
    parts = [part.partition(")")[0].partition("#")[0] for part in text.split("](")[1:]]
    return [part for part in parts if part and not part.startswith(("http://", "https://"))]
