"""Every page that the framework can produce can be used by everybody: axe, zoom, keyboard, reduced motion."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect
from starlette.requests import Request

from promptgrimoire.errors import Refused
from promptgrimoire.web.assets import Assets, static_folder
from promptgrimoire.web.failures import RETRY_AFTER, Failures
from promptgrimoire.web.pages import ConsolePages
from tests.browser.everybody import look_for_problems
from tests.examples.stage import DESKTOP, Server

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

APPS = Path(__file__).parent / "every"
NEXT = "#grimoire-button-next"


@dataclass
class Study:
    """The server, and a session of every page on it."""

    url: str
    join: str = ""
    admin: str = ""
    failures: Failures = field(default_factory=lambda: Failures(ConsolePages(Assets(static_folder()))))


Visit = Callable[[Page, Study], Awaitable[object]]


# ------------------------------------------------------------------ how to get there


async def joined(page: Page, study: Study, name: str, **params: str) -> str:
    """The address of a new participant, whose first page this is."""
    address = httpx.URL(study.join, params={"page": name, **params})
    answer = await page.request.post(str(address), form={"key": "x"}, max_redirects=0)
    return str(address.join(answer.headers["location"]))


def at(name: str, **params: str) -> Visit:
    """The page of a participant who has just joined."""

    async def visit(page: Page, study: Study) -> None:
        await page.goto(await joined(page, study, name, **params))

    return visit


def refused(name: str, **params: str) -> Visit:
    """The same page, after it was posted as it stands by a browser that checks nothing."""

    async def visit(page: Page, study: Study) -> None:
        await at(name, **params)(page, study)
        await page.evaluate("document.getElementById('grimoire-form').noValidate = true")
        await page.click(NEXT)
        await expect(page.get_by_role("alert")).to_be_focused()

    return visit


async def told(page: Page, study: Study) -> None:
    """A page with a notice."""
    await at("Text")(page, study)
    await page.evaluate("void grimoire.invoke('refuse')")
    await expect(page.get_by_role("status")).to_contain_text("The market is closed")


async def back(page: Page, study: Study) -> None:
    """Whoever has joined on this device before."""
    await page.goto(f"{study.join}?page=Text")
    await page.get_by_role("button", name="Join").click()
    await page.goto(study.join)
    await expect(page.get_by_role("link", name="Continue")).to_be_visible()


async def side_by_side(page: Page, study: Study) -> None:
    await joined(page, study, "Text")
    await page.goto(f"{study.admin}multiview?players=1")


async def plain_join(page: Page, study: Study) -> None:
    await page.goto(study.url)
    await page.get_by_role("button", name="Start a session of plain").click()
    await page.get_by_role("link", name="/s/").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Plain")


def to(path: str) -> Visit:
    """An address of the server; of the session's overview where it does not begin with a slash."""

    async def visit(page: Page, study: Study) -> None:
        await page.goto(str(httpx.URL(study.url if path.startswith("/") else study.admin).join(path)))

    return visit


def answered(status: int, path: str = "", *, method: str = "POST", body: str = "", origin: str = "") -> Visit:
    """What the server answers to such a request."""

    async def visit(page: Page, study: Study) -> None:
        address = str(httpx.URL(study.join).join(path))

        async def post(route: Route) -> None:
            headers = {"content-type": "application/x-www-form-urlencoded", **({"origin": origin} if origin else {})}
            answer = await route.fetch(method=method, post_data=body, headers=headers)
            assert answer.status == status
            await route.fulfill(response=answer)

        await page.route(address, post, times=1)
        await page.goto(address)

    return visit


def failing(error: Exception, form: list[tuple[str, str]]) -> Visit:
    """The page for an error that no request of ours can bring about."""

    async def visit(page: Page, study: Study) -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "grimoire.form": form}
        answer = study.failures.page(Request(scope), error)
        body = bytes(answer.body).replace(b" 3000)", b" 3000000)")  # it would go on meanwhile

        async def fulfil(route: Route) -> None:
            await route.fulfill(status=answer.status_code, body=body, content_type="text/html")

        await page.route(f"{study.url}s/moment/", fulfil, times=1)
        await page.goto(f"{study.url}s/moment/")

    return visit


async def bad_request(page: Page, study: Study) -> None:
    await at("Text")(page, study)
    await answered(400, page.url, body="_stay=x")(page, study)


BUSY = Refused("busy", "The storage does not answer.")
# What is there, what its heading says, and how to get there.
PAGES: dict[str, tuple[str, Visit]] = {
    "start page": ("Experiments", to("/")),
    "session": ("Every page", to(".")),
    "multi-view": ("every: 1 participant side by side", side_by_side),
    "multi-view of nobody": ("every: 0 participants side by side", to("multiview")),
    "join": ("Plain", plain_join),
    "join with a landing page": ("A study of every page", answered(200, method="GET")),
    "join again": ("A study of every page", back),
    "page": ("What authors write", at("Text")),
    "page with a notice": ("What authors write", told),
    "page without a template": ("Short", at("Short")),
    "fields": ("Fields", at("Fields")),
    "fields with errors": ("Fields", refused("Fields")),
    "fields from the right": ("Fields", refused("Fields", lang="ar")),
    "scales": ("Scales", at("Scales")),
    "scales with errors": ("Scales", refused("Scales")),
    "page with a time limit": ("A task", at("Limited")),
    "page with a time limit, with errors": ("A task", refused("Limited")),
    "wait for a group": ("Please wait", at("Grouping")),
    "wait for others": ("Please wait", at("Synchronizing")),
    "wait for ever": ("Nearly there", at("Endless")),
    "end": ("Thank you", at("Finished")),
    "screened out": ("Thank you", at("ScreenedOut")),
    "held": ("Something went wrong", at("Failing")),
    "one moment": ("One moment", at("Slow")),
    "bad request": ("That did not work", bad_request),
    "from elsewhere": ("Not from here", answered(403, origin="https://example.org")),
    "no such page": ("Nothing here", to("/p/nobody/")),
    "no such method": ("That did not work", answered(405, method="PUT")),
    "too large": ("Too much at once", answered(413, body="x" * 1_100_000)),
    "broken": ("Something went wrong", answered(500, "?page=Broken")),
    "busy": ("One moment", failing(BUSY, [])),
    "busy with a form": ("One moment", failing(BUSY, [("story", "A long\nstory"), ("_stay", "3")])),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("every") / "apps"
    shutil.copytree(APPS, folder)
    (folder / "mistaken.py").write_text("page_order = [Nobody]\n", "utf-8")
    started = Server(folder, folder.parent / "database.sqlite3")
    yield started
    started.kill()  # it would wait for those who wait for their page


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def study(server: Server, browser: Browser) -> AsyncIterator[Study]:
    page = await browser.new_page()
    page.set_default_timeout(10_000)
    await page.goto(server.url)
    await page.get_by_role("button", name="Start a session of Every page").click()
    join = await page.get_by_role("link", name="/s/").get_attribute("href")
    assert join
    yield Study(server.url, join, page.url)
    await page.close()


DEAD = "if (event.key != `Tab`) event.preventDefault()"
# Each with what must be said of it.
FAULTS = {
    "px wide in a window of 320 px": "<p style='inline-size: 330px'>Wide</p>",
    "cut off": "<p style='inline-size: 2em; overflow: hidden; white-space: nowrap'>Cut off</p>",
    "wider than its button": "<button style='inline-size: 2em; white-space: nowrap'>Too narrow</button>",
    "390 px, light: color-contrast": "<p style='color: #aaa'>Pale</p>",
    "390 px, dark: color-contrast": "<p class='night'>Dark on dark</p>",
    "meta-refresh": "<meta http-equiv='refresh' content='600'>",
    "1280 px, light: label": "<input>",
    "nothing shows that it has the focus": "<a href='#' style='outline: none'>Link</a>",
    "it is out of sight": "<button style='position: fixed; inset-block-start: -9rem'>Above</button>",
    "Space does nothing": f"<button onkeydown='{DEAD}'>Dead</button>",
    "ArrowDown does nothing": f"<label><input type='radio' name='r' onkeydown='{DEAD}'>R</label>",
    "not reached: <button tabindex": "<p><button tabindex='3'>First</button></p>",
    "moves": "<p style='animation: x 2s infinite'>Turns</p><p style='transition: color 1s'>Fades</p>",
}
FAULTY = "<!doctype html><html lang='en'><title>T</title><style>@keyframes x {{}}{}</style><main><h1>T</h1>{}</main>"
NIGHT = "@media (prefers-color-scheme: dark) { .night { color: #333; background: #222 } }"


async def test_the_checks_find_what_is_wrong(browser: Browser, axe_source: str) -> None:
    page = await browser.new_page()
    await page.set_content(FAULTY.format(NIGHT, "".join(FAULTS.values())))
    problems = await look_for_problems(page, axe_source)
    missed = [fault for fault in FAULTS if not any(fault in problem for problem in problems)]
    assert missed == [], "\n".join(problems)
    await page.set_content(
        FAULTY.format("", "<button onkeydown='event.preventDefault()'>Trap</button><button>B</button>")
    )
    assert any("not reached: <button>B" in one for one in await look_for_problems(page, axe_source))
    await page.set_content(FAULTY.format("", "<p>Right</p><button>Press</button>"))
    assert await look_for_problems(page, axe_source) == []
    await page.close()


@pytest.mark.parametrize("name", PAGES)
async def test_every_page_can_be_used_by_everybody(name: str, study: Study, browser: Browser, axe_source: str) -> None:
    heading, visit = PAGES[name]
    context = await browser.new_context(viewport=DESKTOP, reduced_motion="reduce", locale="en")
    try:
        context.set_default_timeout(10_000)
        page = await context.new_page()
        await visit(page, study)
        await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        problems = await look_for_problems(page, axe_source)
    finally:
        await context.close()
    assert problems == [], "\n".join(problems)


async def test_one_moment_goes_on_by_itself_and_is_not_loaded_again(study: Study, browser: Browser) -> None:
    page = await browser.new_page()
    documents: list[str] = []
    page.on("framenavigated", lambda frame: documents.append(frame.url))
    await at("Soon")(page, study)
    await expect(page.get_by_role("heading", level=1)).to_have_text("One moment")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Here at last", timeout=10_000)
    assert len(documents) == 2
    await page.close()


async def test_who_comes_while_the_server_is_busy_goes_on_by_themselves(study: Study, browser: Browser) -> None:
    page = await browser.new_page()
    answer = study.failures.page(Request({"type": "http", "method": "GET", "path": "/", "headers": []}), BUSY)
    asked: list[str] = []

    async def busy(route: Route) -> None:
        asked.append(route.request.resource_type)
        if len(asked) < 3:
            await route.fulfill(status=503, body=bytes(answer.body), content_type="text/html")
        else:
            await route.continue_()

    await page.route(study.join, busy)
    await page.clock.install()
    await page.goto(study.join)
    await expect(page.get_by_role("heading", level=1)).to_have_text("One moment")
    for count in (2, 3):
        await page.clock.run_for(RETRY_AFTER * 1000)
        while len(asked) < count:
            await page.wait_for_timeout(20)
        await page.wait_for_timeout(200)  # until the answer has come
    await expect(page.get_by_role("heading", level=1)).to_have_text("A study of every page")
    assert asked == ["document", "fetch", "fetch", "document"]
    await page.close()
