"""What all tests share: with CI=true nothing is skipped silently, and where Chromium and axe-core are.

Owns no fixtures of any one wing; those live in the folders of their tests.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

_AXE = Path(__file__).parents[1] / ".venv/node/node_modules/axe-core/axe.min.js"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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
