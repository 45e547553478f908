"""The scripts inside templates, for tsc: `python -m tests.client.inline_scripts TSC [FOLDER …]` checks the examples'.

Each page becomes one module, with every line where it stands in the template, so that what tsc says leads there. Jinja
in scripts counts as a value of any type.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = ("", "module", "text/javascript")  # other types hold data
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class _Scripts(HTMLParser):
    """Gathers inline scripts, with empty lines instead of all else."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag == "script" and "src" not in given and (given.get("type") or "") in _SCRIPTS

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            line, _ = self.getpos()
            self.text += "\n" * (line - 1 - self.text.count("\n")) + data


def scripts(template: str) -> str:
    """The scripts of a page as one module, "" where it has none."""
    parser = _Scripts()
    parser.feed(template)
    parser.close()
    if not parser.text.strip():
        return ""
    text = _EXPRESSION.sub(lambda found: "(/** @type {any} */ (null))" + _lines(found[0]), parser.text)
    return _STATEMENT.sub(lambda found: _lines(found[0]), text) + "\nexport {};\n"


def _lines(text: str) -> str:
    return "\n" * text.count("\n")


def check(tsc: Path, folders: Sequence[Path]) -> subprocess.CompletedProcess[str]:
    """Run tsc over the scripts of all templates below these folders."""
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        for folder in folders:
            for template in sorted(folder.rglob("*.html")):
                if text := scripts(template.read_text("utf-8")):
                    page = here / folder.name / template.relative_to(folder).with_suffix(".html.js")
                    page.parent.mkdir(parents=True, exist_ok=True)
                    page.write_text(text, "utf-8")
        client = [*ROOT.glob("static/grimoire/*.d.ts"), ROOT / "tests/client/author.d.ts"]
        config = {
            "extends": str(ROOT / "tests/client/tsconfig.json"),
            # Authors write no annotations; what is looked for is names and arguments that do not exist.
            "compilerOptions": {"noImplicitAny": False, "strictNullChecks": False, "useUnknownInCatchVariables": False},
            "include": [*map(str, client), "**/*.js"],
        }
        (here / "tsconfig.json").write_text(json.dumps(config))
        command = [str(tsc.resolve()), "-p", "tsconfig.json", "--pretty", "false"]
        return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120)


if __name__ == "__main__":
    tsc, *given = map(Path, sys.argv[1:])
    done = check(tsc, given or [ROOT / "examples"])
    sys.stdout.write(done.stdout)
    sys.exit(done.returncode)
