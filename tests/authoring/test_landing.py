"""The landing page of an app: found, checked at loading, rendered without a player."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from promptgrimoire.authoring.landing import landing_html
from promptgrimoire.authoring.language import DEFAULT, Languages
from promptgrimoire.errors import AuthorError, ExperimentError
from tests.authoring.conftest import Loaded

APP = '''from promptgrimoire import *

LANDING_PAGE = True

class C:
    MINUTES = 20

class Start(Page):
    """# Start"""

page_order = [Start]
'''
SESSION = SimpleNamespace(settings={"fee": "<5>"})
ENGLISH = Languages().get(DEFAULT)


def html(loaded: Loaded, **files: str) -> str:
    return landing_html(loaded(APP, **files), SESSION, ENGLISH).strip()


def test_the_block_main_is_what_is_shown(loaded: Loaded) -> None:
    page = '{% extends "Base.html" %}{% block main %}<h1>{{ C.MINUTES }} min, {{ settings.fee }}</h1>{% endblock %}'
    assert html(loaded, LandingPage_html=page) == "<h1>20 min, &lt;5&gt;</h1>"


def test_a_template_without_blocks_is_shown_whole(loaded: Loaded) -> None:
    assert html(loaded, LandingPage_html="<p>{{ _('Next') }} {{ app }}</p>") == "<p>Next game</p>"


def test_markdown(loaded: Loaded) -> None:
    assert html(loaded, LandingPage_md="# Hello\n\nFor {{ settings.fee }}.") == (
        "<h1>Hello</h1>\n<p>For &lt;5&gt;.</p>"
    )


def test_without_landing_page_the_file_is_not_used(loaded: Loaded) -> None:
    app = loaded(APP.replace("LANDING_PAGE = True", ""), LandingPage_html="<p>x</p>")
    assert app.landing is None
    assert landing_html(app, SESSION, ENGLISH) == ""


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "game/__init__.py:3: LANDING_PAGE = True, but there is no LandingPage.html beside it"),
        ({"LandingPage_html": "\n{% if %}"}, "game/LandingPage.html:2: "),
        (
            {"LandingPage_html": "\n{{ player.name }}"},
            "game/LandingPage.html:2: there is no 'player' here (nobody has joined yet when this page is shown)",
        ),
        ({"LandingPage_html": "{{ fee }}"}, "game/LandingPage.html:1: there is no 'fee' here"),
    ],
)
def test_what_cannot_be_shown_does_not_load(loaded: Loaded, files: dict[str, str], problem: str) -> None:
    with pytest.raises(ExperimentError) as refused:
        loaded(APP, **files)
    assert refused.value.problems[0].startswith(problem)


def test_only_true_and_false_say_whether_there_is_one(loaded: Loaded) -> None:
    with pytest.raises(ExperimentError, match="LANDING_PAGE: expected True or False, found 'LandingPage"):
        loaded(APP.replace("True", '"LandingPage.html"'))


def test_what_fails_while_it_is_shown_names_its_line(loaded: Loaded) -> None:
    app = loaded(APP, LandingPage_html="\n{{ settings.feee }}")
    with pytest.raises(AuthorError, match=r"game/LandingPage\.html:2: "):
        landing_html(app, SESSION, ENGLISH)
