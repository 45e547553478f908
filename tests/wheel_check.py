"""Builds the wheel, installs it in an environment of its own, and looks whether all that is needed is inside.

Run by `make wheel-check`; leaves nothing behind. Not a test of pytest, since it installs from the package registry.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def expected_files() -> set[str]:
    """What the wheel must hold besides modules: static files and templates, as paths inside the wheel."""
    static = {f"promptgrimoire/{path.relative_to(ROOT)}" for path in (ROOT / "static").rglob("*") if path.is_file()}
    package = ROOT / "promptgrimoire"
    templates = {str(path.relative_to(ROOT)) for path in package.rglob("templates/**/*") if path.is_file()}
    templates |= {str(path.relative_to(ROOT)) for path in package.glob("catalogues/*.po")}
    return static | templates | {"promptgrimoire/py.typed"}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, str(ROOT)], check=True
        )
        (wheel,) = place.glob("promptgrimoire-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            missing = expected_files() - set(archive.namelist())
        if missing:
            print("missing from the wheel:", *sorted(missing), sep="\n  ", file=sys.stderr)
            return 1
        venv.create(place / "venv", with_pip=True)
        python = place / "venv" / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", str(wheel)], check=True)
        # From another folder, so that what is found is what was installed.
        subprocess.run(
            [place / "venv" / "bin" / "promptgrimoire", "--help"], check=True, cwd=place, stdout=subprocess.DEVNULL
        )
        found = "from promptgrimoire.web.assets import static_folder; print(static_folder())"
        answer = subprocess.run([python, "-c", found], check=True, cwd=place, capture_output=True, text=True)
        if "site-packages" not in answer.stdout:
            print(f"the installed package looks for its static files in {answer.stdout}", file=sys.stderr)
            return 1
    print("The wheel is complete.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
