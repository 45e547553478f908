"""What a participant's page loads of ours stays small: evidence 48."""

from __future__ import annotations

import pytest

from promptgrimoire.web.assets import Assets, static_folder, without_comments


@pytest.fixture(scope="module")
def served() -> Assets:
    return Assets(static_folder())


def _packed(assets: Assets, *folders: str, ending: str = ".js") -> int:
    """Bytes on the wire, each file compressed by itself."""
    paths = [path for path in assets.paths() if path.split("/")[0] in folders and path.endswith(ending)]
    assert paths
    return sum(len(assets._files[path][True].body) for path in paths)


@pytest.mark.parametrize(
    ("folders", "ending", "most"),
    [
        pytest.param(("grimoire", "times"), ".js", 11_000, id="the client, as every page loads it"),
        pytest.param(("style",), ".css", 11_500, id="the stylesheet"),
        pytest.param(("forms",), ".js", 1_200, id="what pages with fields load beside it"),
        pytest.param(("countdown",), ".js", 1_400, id="what pages with a time limit load beside it"),
        pytest.param(("wait",), ".js", 300, id="what wait pages load beside it"),
        pytest.param(("uproot",), ".js", 3_600, id="what pages in uproot's style load beside it"),
    ],
)
def test_evidence_48_what_a_page_loads_is_small(
    served: Assets, folders: tuple[str, ...], ending: str, most: int
) -> None:
    assert _packed(served, *folders, ending=ending) <= most


def test_comments_on_lines_of_their_own_are_not_served_and_lines_keep_their_numbers() -> None:
    source = b"""/** One.
 * Two. */
let url = "//x"; // why
  // gone
  /* gone */
let css = 1; /* stays */
"""
    assert without_comments(source).split(b"\n") == [
        b"",
        b"",
        b'let url = "//x"; // why',
        b"",
        b"",
        b"let css = 1; /* stays */",
        b"",
    ]


def test_no_text_of_ours_could_be_taken_for_a_comment(served: Assets) -> None:
    """What begins on one line and ends on another, a template literal or a comment, could hold a line that looks so."""
    for path in served.paths():
        if path.endswith((".js", ".css")):
            lines = served.text(path).splitlines()
            assert [line for line in lines if line.count("`") % 2 or line.count("/*") != line.count("*/")] == [], path
