"""What `make` picks on machines that are not ours.

Asks make itself; installs nothing.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_stand_in_with_no_python_behind_it_is_passed_over(tmp_path: Path) -> None:
    """pyenv puts a `python3.13` on the path that only says that it is not there; `make run` failed on it."""
    for name, behind in (("python3.14", "exit 127"), ("python3.13", "exit 127"), ("python3.12", "exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{behind}\n")
        (tmp_path / name).chmod(0o755)
    shown = subprocess.run(
        ["make", "-n", "run", "VENV=elsewhere"],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "python3.12 -m venv elsewhere" in shown.stdout, shown
