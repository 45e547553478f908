"""Every fault of evidence.md that the live core answers for has a test that bears its number in its name.

In Python `test_evidence_11_…` (several: `test_evidence_11_and_12_…`), in JavaScript `test("evidence 11: …")`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
LIVE_CORE = (
    *range(1, 10),
    *(11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29),
    *(37, 38, 39, 41, 42, 43, 46, 48, 49, 50),
)
# Those that show themselves to a participant or an author on a screen: something must have looked at one.
SEEN_IN_A_BROWSER = (11, 12, 13, 20, 22, 24, 28, 29, 42, 48, 49, 50)
_IN_PYTHON = re.compile(r"test_evidence_((?:\d+_(?:and_)?)+)")
_IN_JAVASCRIPT = re.compile(r"^test\(\"evidence ([\d, and]+):", re.MULTILINE)


def _python_tests(path: Path) -> list[str]:
    """Names of the tests that pytest would run: also what is commented out or nested has no number here."""
    found = ast.parse(path.read_text("utf-8")).body
    return [node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _numbers(paths: list[Path]) -> dict[int, list[str]]:
    """Line of evidence.md -> the files whose tests bear its number."""
    found: dict[int, list[str]] = {}
    for path in paths:
        if path.suffix == ".js":
            bearing = _IN_JAVASCRIPT.findall(path.read_text("utf-8"))
        else:
            bearing = [match[1] for name in _python_tests(path) if (match := _IN_PYTHON.match(name))]
        for number in {int(digits) for text in bearing for digits in re.findall(r"\d+", text)}:
            found.setdefault(number, []).append(path.name)
    return found


def test_a_test_is_named_after_each_fault() -> None:
    found = _numbers([*TESTS.rglob("test_*.py"), *(TESTS / "client").glob("*.test.js")])
    assert sorted(set(LIVE_CORE) - found.keys()) == [], "no test is named test_evidence_NUMBER_…"


def test_what_people_see_is_looked_at_in_a_browser() -> None:
    files = [path for path in TESTS.rglob("test_*.py") if "pytest.mark.browser" in path.read_text("utf-8")]
    assert sorted(set(SEEN_IN_A_BROWSER) - _numbers(files).keys()) == [], "no test in Chromium is named after it"


def test_names_are_read_as_they_are_meant(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(
        "def test_evidence_1_and_12_x(): ...\nasync def test_evidence_2_3_x(): ...\n# def test_evidence_4_x(): ...\n"
        "def test_other_5_x(): ...\n"
    )
    (tmp_path / "b.test.js").write_text(
        'test("evidence 6: x", () => {});\n// test("evidence 7: x")\ntest("evidence 8 and 9: x")'
    )
    assert sorted(_numbers(list(tmp_path.iterdir()))) == [1, 2, 3, 6, 8, 9, 12]
