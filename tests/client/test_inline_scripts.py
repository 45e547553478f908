"""What tsc is given of the scripts inside templates, and that it finds mistakes there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.inline_scripts import ROOT, check, scripts

TSC = ROOT / ".venv/node/node_modules/.bin/tsc"
PAGE = """<p title="{{ player.name }}">a < b</p>
<script>
  const role = {{ player.role
    |tojson }};
  {% if debug %}
  grimoire.%s("post", role);
  {%% endif %%}
</script>
<script type="application/json">{"not": a script}</script>
<script src="elsewhere.js"></script>
<p>
<script type="module">grimoire.on("News", (data) => data.anything);</script>
"""


def page(method: str) -> str:
    return PAGE.replace("%s", method).replace("%%", "%")


def test_scripts_stand_where_they_stand_in_the_template() -> None:
    assert scripts(page("invoke")).splitlines() == [
        "",
        "",
        "  const role = (/** @type {any} */ (null))",
        ";",
        "  ",
        '  grimoire.invoke("post", role);',
        "  ",
        "",
        "",
        "",
        "",
        'grimoire.on("News", (data) => data.anything);',
        "export {};",
    ]
    assert scripts("<p>nothing</p><script type='application/json'>{}</script>") == ""


@pytest.fixture
def tsc() -> Path:
    if not TSC.exists():
        pytest.skip("needs TypeScript (make node)")
    return TSC


def test_what_is_right_passes_and_a_misspelt_method_is_found_by_its_line(tmp_path: Path, tsc: Path) -> None:
    (tmp_path / "Page.html").write_text(page("invoke"))
    (tmp_path / "Other.html").write_text(page("invoke"))  # the same names on another page are other names
    assert check(tsc, [tmp_path]).stdout == ""
    (tmp_path / "Page.html").write_text(page("invokee"))
    done = check(tsc, [tmp_path])
    assert done.returncode != 0
    assert "Page.html.js(6,12): error" in done.stdout
    assert "'invokee' does not exist" in done.stdout


def test_mistakes_are_found(tmp_path: Path, tsc: Path) -> None:
    mistakes = (
        "grimoire.invoke();",
        "grimoire.on('News');",
        "cuont = 1;",
        "document.getElementByID('x');",
        "grimoire.onready(() => 1);",
        "const a = 1; a = 2;",
        "await grimoire.clock('now');",
    )
    for number, mistake in enumerate(mistakes):
        (tmp_path / f"Page{number}.html").write_text(f"<script>{mistake}</script>")
    said = check(tsc, [tmp_path]).stdout
    assert [mistake for number, mistake in enumerate(mistakes) if f"Page{number}.html.js" not in said] == []
