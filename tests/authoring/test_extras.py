"""The frame's blocks and headings, buttons where an author wants them, parts of the project, and rarely used files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptgrimoire.authoring.extras import BEHAVIOURS, IDS, NAMES, extras_of
from promptgrimoire.authoring.page_buttons import PageButtons
from tests.authoring.conftest import Loaded
from tests.authoring.test_templates import STAR, main, page

APP = f"{STAR}LABELS = {{'a': 'Apples'}}\nclass Start(Page): ...\npage_order = [Start]\n"


def shown(loaded: Loaded, body: str, **more: object) -> str:
    return page(loaded(APP, Start_html='{% extends "Base.html" %}' + body), **more)


def placed(back: bool) -> dict[str, object]:
    buttons = PageButtons(str.upper, back)
    return {"grimoire_buttons": buttons, "button_next": buttons.next, "button_back": buttons.back}


def test_a_title_is_the_heading_of_a_page_that_has_none(loaded: Loaded) -> None:
    title = "{% block title %}Give & take{% endblock %}"
    html = shown(loaded, title + "{% block main %}<p>Hello{% endblock %}")
    assert "<title>Give & take</title>" in html
    assert main(html).startswith('<h1 id="grimoire-title">Give &amp; take</h1>')
    same = shown(loaded, "{% block title %}Start{% endblock %}{% block main %}<p>Hello{% endblock %}")
    assert main(same).startswith('<h1 id="grimoire-title">Start</h1>')


@pytest.mark.parametrize(
    "body",
    [
        "{% block main %}<p>Hello{% endblock %}",
        "{% block title %}Give{% endblock %}{% block main %}<h1>Take</h1>{% endblock %}",
        "{% block title %}Give{% endblock %}{% block titlearea %}{% endblock %}{% block main %}<p>Hello{% endblock %}",
        "{% block title %}{{ super() }}{% endblock %}{% block main %}<p>Hello{% endblock %}",
    ],
)
def test_no_second_heading(loaded: Loaded, body: str) -> None:
    assert "grimoire-title" not in shown(loaded, body)


def test_every_block_has_its_place(loaded: Loaded) -> None:
    names: tuple[str, ...] = (
        "head",
        "pre_container",
        "timeoutbox",
        "start",
        "titlearea",
        "main",
        "main2",
        "main3",
        "footer",
    )
    names += ("late", "late2")
    html = shown(loaded, "".join(f"{{% block {name} %}}[{name}]{{% endblock %}}" for name in names))
    assert re.findall(r"\[(\w+)\]", html) == list(names)
    assert "grimoire-button-next" not in html  # main2 held it


def test_buttons_stand_where_they_are_placed(loaded: Loaded) -> None:
    body = "{% block main %}{{ button_back() }}|{{ button_next('Go <on>', class_='btn btn-lg') }}{% endblock %}"
    html = shown(loaded, body, **placed(True))
    assert html.count("grimoire-button-next") == html.count("grimoire-button-back") == 1
    assert 'class="btn btn-lg" id="grimoire-button-next">Go &lt;on&gt;</button>' in main(html)
    assert ">BACK</button>" in main(html)
    without = shown(loaded, body, **placed(False))
    assert "grimoire-button-back" not in without
    alone = shown(loaded, "{% block main %}{{ button_next() }}{% endblock %}", **placed(True))
    assert alone.count("grimoire-button-next") == 1
    assert 'id="grimoire-button-back"' not in alone


def test_buttons_that_are_not_placed_stand_at_the_foot(loaded: Loaded) -> None:
    html = shown(loaded, "{% block main %}Hello{% endblock %}", **placed(False))
    assert html.count("grimoire-button-next") == 1
    assert "grimoire-button-next" not in main(html)


def test_parts_of_the_project_are_in_every_page(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "ProjectHead.html").write_text("<meta name=ours>")
    (tmp_path / "ProjectBody.html").write_text("<p>Laboratory of {{ app }}</p>")
    html = shown(loaded, "{% block main %}Hello{% endblock %}")
    assert "<meta name=ours>" in html.partition("</head>")[0]
    assert html.rstrip().endswith("<p>Laboratory of game</p>\n</body>\n</html>")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("<p>Nothing of the kind</p>", set()),
        ("<script>grimoire.invoke('sum'); uproot.submit()</script>", set()),
        ("<script>const m = uproot.mean(values)</script>", {NAMES}),
        ("<button onclick='uproot.goBack()'>", {NAMES}),
        ("<script>uproot.alert('Hi')</script>", {NAMES, BEHAVIOURS}),
        ("<script>const x = C.ENDOWMENT</script>", {NAMES}),
        ("<script>const x = {{ C.ENDOWMENT }}</script>", set()),
        ("<p>Vitamin C.Then</p>", set()),
        ("<script>abC.x = vars.C.x</script>", set()),
        ('<a data-bs-toggle="tab" href="#one">One</a>', {BEHAVIOURS}),
        ('<div class="modal-dialog">', {BEHAVIOURS}),
        ("<style>#uproot-button-next { display: none }</style>", {IDS}),
        ("<script>I('uproot-button-next').disabled = true</script>", set()),
        ("<script>bootstrap.Modal.getOrCreateInstance(box).show()</script>", {BEHAVIOURS}),
    ],
)
def test_pages_load_what_they_mention(text: str, needs: set[str]) -> None:
    assert extras_of([text]) == needs


def test_what_a_page_extends_includes_or_has_in_scripts_counts(loaded: Loaded) -> None:
    include = '{% extends "Base.html" %}{% block main %}{% include "game/Rules.html" %}{% endblock %}'
    found = loaded(APP, Start_html=include, Rules_html='<a data-bs-toggle="collapse" href="#more">More</a>')
    template = found.pages["game/Start"].template
    assert template is not None
    assert template.extras == {BEHAVIOURS}


def test_what_scripts_of_the_app_mention_counts(loaded: Loaded, tmp_path: Path) -> None:
    folder = tmp_path / "game" / "_static"
    folder.mkdir(parents=True)
    (folder / "play.js").write_text("const left = C.SECONDS;")
    found = loaded(APP, Start_html='{% extends "Base.html" %}{% block main %}Hello{% endblock %}')
    template = found.pages["game/Start"].template
    assert template is not None
    assert template.extras == {NAMES}
