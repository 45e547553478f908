"""The real server as a process: what it prints and when, signals, a port that is taken; a browser without TLS."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start_server(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.web.served", *arguments]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True))
        return running[-1]

    yield start_server
    for process in running:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    line: dict[str, Any] = json.loads(process.stdout.readline())
    return line


def test_one_line_of_json_once_the_server_answers(start: Start) -> None:
    process = start("0", "2", "json", "counter")
    line = first_line(process)
    assert set(line) == {"app", "url", "session", "join", "admin", "players"}
    assert line["join"] == f"{line['url']}s/{line['session']}/"
    assert len(line["players"]) == 2
    for address in (line["url"], line["join"], line["admin"], *line["players"]):
        assert httpx.get(address).status_code == 200
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert out == ""
    assert err == "gateway closed\n"


def test_several_apps_open_sessions_only_when_asked(start: Start) -> None:
    process = start("0", "0", "json", "counter", "market")
    lines = [first_line(process) for _ in range(2)]
    assert [line["app"] for line in lines] == ["counter", "market"]
    assert [line["session"] for line in lines] == [None, None]
    assert [line["players"] for line in lines] == [[], []]


def test_evidence_46_the_links_that_are_needed_are_printed(start: Start) -> None:
    process = start("0", "1", "text", "counter")
    assert process.stdout
    printed = [process.stdout.readline().split() for _ in range(6)]
    words = {line[0]: line[-1] for line in printed if line}
    assert {"Start", "counter", "Join", "Admin", "player1"} == set(words)
    assert "Count" in httpx.get(words["Join"]).text
    assert httpx.get(words["player1"]).status_code == 200


def test_ctrl_c_closes_the_gateway(start: Start) -> None:
    process = start("0", "0", "json", "counter")
    first_line(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert "gateway closed" in err


def test_a_port_that_is_taken_is_said_clearly(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(str(port), "0", "json", "counter")
        out, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert out == ""
    assert err.startswith(f"Port {port} is already in use")
    assert f"--port {port + 1}" in err


@pytest.mark.browser
async def test_joining_works_without_tls_in_a_laboratory(start: Start, chromium: str) -> None:
    """Browsers send `Origin: null` under no-referrer, and no Sec-Fetch-Site without TLS: nobody is locked out."""
    line = first_line(start("0", "0", "json", "counter"))
    port = httpx.URL(line["url"]).port
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--host-resolver-rules=MAP lab.test 127.0.0.1"]
        )
        try:
            page = await browser.new_page()
            for address in (f"http://lab.test:{port}", f"http://127.0.0.1:{port}"):
                await page.goto(f"{address}/s/{line['session']}/")
                await page.get_by_role("button", name="Join").click()
                await page.get_by_role("button", name="Next").click()
                assert await page.title() in ("Page of player1", "Page of player2")
                await page.goto(f"{address}/")
                await page.get_by_role("button", name="Start a session").click()
                await page.get_by_role("button", name="Open multi-view").click()
                await page.frame_locator("iframe >> nth=1").get_by_role("heading", name="Page of player2").wait_for()
        finally:
            await browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_frameworks_own_pages_fit_and_are_labelled(start: Start, chromium: str, width: int) -> None:
    line = first_line(start("0", "3", "json", "counter"))
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = await browser.new_page(viewport={"width": width, "height": 800})
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            for address in ("", f"s/{line['session']}/", line["admin"], f"{line['admin']}multiview?players=1,2"):
                await page.goto(str(httpx.URL(line["url"]).join(address)))
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert await page.evaluate("document.documentElement.lang") == "en"
                assert await page.locator("main").count() == 1
                assert await page.locator("h1").count() == 1
                for control in await page.locator("button:visible, a:visible, input:visible, iframe").all():
                    named = "e => e.ariaLabel || e.innerText || e.title || e.labels?.[0]?.innerText"
                    assert await control.evaluate(named), await control.evaluate("e => e.outerHTML")
            assert complaints == []
        finally:
            await browser.close()
