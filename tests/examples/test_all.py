"""What holds for every example: it is documented, and one click away on the start page of `make run`."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from promptgrimoire.authoring.experiment import load
from tests.examples.conftest import Serve, Visit
from tests.examples.stage import ROOT, looks_right

NAMES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/__init__.py"))


def test_the_list_of_the_examples_names_them_all() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(\1\) \|", (ROOT / "examples" / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_documented_and_tested(name: str) -> None:
    folder = ROOT / "examples" / name
    readme = (folder / "README.md").read_text("utf-8")
    assert f"promptgrimoire run examples/{name}" in readme
    assert "](screenshot.png)" in readme
    assert (folder / "screenshot.png").read_bytes().startswith(b"\x89PNG")
    assert (ROOT / "tests" / "examples" / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_without_a_warning(name: str) -> None:
    experiment = load(ROOT / "examples" / name)
    assert list(experiment.warnings) == []
    assert experiment.description


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="module")
async def test_the_start_page_offers_them(serve: Serve, visit: Visit, axe: str) -> None:
    server = serve(ROOT / "examples")
    page = await visit(server.url)
    for name in NAMES:
        await expect(page.get_by_text(load(ROOT / "examples" / name).description)).to_be_visible()
    await expect(page.get_by_role("button", name="Start a session")).to_have_count(len(NAMES))
    await looks_right(page, axe)
    await page.get_by_role("button", name="Start a session of counter").click()
    await expect(page.get_by_role("link", name="/s/").first).to_be_visible()
    await looks_right(page, axe)
    await page.get_by_role("button", name="Open multi-view").click()
    first, second = [page.frame_locator(f"iframe >> nth={index}") for index in range(2)]
    await first.get_by_role("button", name="Add 10").click()
    await expect(second.locator("#count")).to_have_text("10")
