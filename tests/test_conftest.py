"""The plugin that lets CI skip nothing, run on small suites of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"

SUITES = {
    "in a test": "import pytest\ndef test_it():\n    pytest.skip('no browser')\n",
    "by a mark": "import pytest\n@pytest.mark.skip(reason='no browser')\ndef test_it():\n    pass\n",
    "a whole file": "import pytest\npytest.skip('no browser', allow_module_level=True)\n",
}


def run(folder: Path, suite: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_small.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\nxfail_strict = true\n")
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
def test_a_skip_fails_where_ci_is_true(tmp_path: Path, suite: str) -> None:
    answer = run(tmp_path, suite, CI="true")
    assert answer.returncode != 0
    assert "no browser" in answer.stdout


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    answer = run(tmp_path, SUITES["in a test"])
    assert answer.returncode == 0
    assert "1 skipped" in answer.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    suite = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it():\n    assert False\n"
    assert run(tmp_path, suite, CI="true").returncode == 0
