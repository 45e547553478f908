"""What all tests share: with CI=true nothing is skipped silently, and where Chromium and axe-core are.

Owns no fixtures of any one wing; those live in the folders of their tests.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import pytest

_AXE = Path(__file__).parents[1] / ".venv/node/node_modules/axe-core/axe.min.js"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


_BROWSER_LIMIT = 120  # seconds for each of set-up, test and tear-down in Chromium


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where CI=true: what CI does not run, nobody has tested."""
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"Skipped, which CI=true does not allow. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """A browser that answers no more must fail one test, not hold up all others; says what each task waits for."""

    def ring(number: int, frame: FrameType | None) -> None:
        try:
            for task in asyncio.all_tasks():
                task.print_stack()
        except RuntimeError:
            pass  # no loop is running
        raise TimeoutError(f"not finished after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _may_hang(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None and threading.current_thread() is threading.main_thread()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with _limited(_BROWSER_LIMIT) if _may_hang(item) else nullcontext():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    with _limited(_BROWSER_LIMIT) if _may_hang(item) else nullcontext():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    with _limited(_BROWSER_LIMIT) if _may_hang(item) else nullcontext():
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of Chromium; the test is skipped where there is none."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip("needs Chromium on the PATH (make test installs it where it may)")


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The source of axe-core, to be evaluated in a page; the test is skipped where it is not installed."""
    if not _AXE.is_file():
        pytest.skip("needs axe-core (make node)")
    return _AXE.read_text("utf-8")
