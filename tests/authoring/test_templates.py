"""What participants see: frames, Markdown and docstring pages, escaping, and errors that name file and line."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptgrimoire.authoring.experiment import Experiment
from promptgrimoire.authoring.filters import fmtnum, to, tojson
from promptgrimoire.authoring.markdown import Marks, Values, converter
from promptgrimoire.authoring.templates import render
from promptgrimoire.errors import AuthorError
from tests.authoring.conftest import Loaded

STAR = "from promptgrimoire import *\n"
FRAME = '{%% extends "Base.html" %%}\n{%% block main %%}%s{%% endblock %%}'
HOSTILE = [
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{% raw %}",
    "*bold* _it_ `code`",
    "[click](javascript:alert(1))",
    "![x](x)",
    "# heading",
    "</p><h1>",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    "<https://evil.example>",
    "&lt;b&gt;",
    "a\n\nb",
    "    code",
    "| a | b |",
    "v0123456789abn0x",
]


def context(**more: Any) -> dict[str, Any]:
    assets = SimpleNamespace(style="/s.css", modules=["/a.js", "/b.js"], early="window.early = 1 < 2;", main="/m.js")
    config = {"stay": 4, "document": "x", "vars": more.get("jsvars", {})}
    always = {"player": None, "session": None, "group": None, "page": None, "app": "game", "C": None}
    return {**always, "assets": assets, "page_config": config, "title": "Start", **more}


def page(experiment: Experiment, **more: Any) -> str:
    return render(experiment.pages["game/Start"], context(**more))


def main(html: str) -> str:
    found = re.search(r'<main id="main"[^>]*>\n(.*)\n</main>', html, re.DOTALL)
    assert found is not None
    return found[1].strip()


def html_page(loaded: Loaded, body: str) -> Experiment:
    return loaded(f"{STAR}class Start(Page): ...\npage_order = [Start]\n", Start_html=FRAME % body)


def docstring_page(loaded: Loaded, text: str) -> Experiment:
    return loaded(f'{STAR}class Start(Page):\n    r"""{text}"""\n\npage_order = [Start]\n')


# ---------------------------------------------------------------- the frame


def test_the_frame(loaded: Loaded) -> None:
    html = page(html_page(loaded, "<p>Hello</p>"))
    for part in (
        '<html lang="en" dir="ltr">',
        "<title>Start</title>",
        '<meta name="viewport"',
        '<meta name="color-scheme" content="light dark">',
        '<link rel="icon" href="data:,">',
        '<link rel="stylesheet" href="/s.css">',
        '<link rel="modulepreload" href="/a.js">',
        '<script type="module" src="/m.js"></script>',
        "<script>window.early = 1 < 2;</script>",
        '<form method="post"',
        '<input type="hidden" name="_stay" value="4" autocomplete="off">',
        '<input type="hidden" name="_submission" value="" autocomplete="off">',
        'id="grimoire-button-next">Next</button>',
        'href="#main"',
        "<noscript>",
    ):
        assert part in html
    assert html.index('id="grimoire-page"') < html.index("window.early"), "early.js reads the page's configuration"
    assert main(html) == "<p>Hello</p>"


@pytest.mark.parametrize(
    ("switch", "form", "button"),
    [("", True, "Next"), ("{% set buttons = False %}", False, None), ("{% set button_next = False %}", True, None),
     ('{% set button_next = "Go <on>" %}', True, "Go &lt;on&gt;")],
)  # fmt: skip
def test_switches(loaded: Loaded, switch: str, form: bool, button: str | None) -> None:
    frame = '{% extends "Base.html" %}' + switch + "{% block main %}Hello{% endblock %}"
    html = page(loaded(f"{STAR}class Start(Page): ...\npage_order = [Start]\n", Start_html=frame))
    assert ("<form" in html.partition("<main")[0]) is form  # around the page; else an empty one, for grimoire.submit()
    assert html.count('name="_submission"') == 1
    assert main(html) == "Hello"
    found = re.search(r'id="grimoire-button-next">(.*?)</button>', html)
    assert (found and found[1]) == button


def test_the_other_blocks(loaded: Loaded) -> None:
    blocks = "".join(
        f"{{% block {name} %}}[{name}]{{% endblock %}}"
        for name in ("title", "head", "pre_container", "timeoutbox", "late")
    )
    frame = '{% extends "Base.html" %}' + blocks
    html = page(loaded(f"{STAR}class Start(Page): ...\npage_order = [Start]\n", Start_html=frame))
    places = [html.index(f"[{name}]") for name in ("title", "head", "pre_container", "timeoutbox", "late")]
    assert places == sorted(places)
    assert "<title>[title]</title>" in html


def test_configuration_cannot_leave_its_script(loaded: Loaded) -> None:
    hostile = {"a": "</script><script>alert(1)</script>", "b": "<!--", "c": "\u2028&'"}
    html = page(html_page(loaded, ""), jsvars=hostile)
    found = re.search(r'id="grimoire-page">(.*?)</script>', html)
    assert found is not None
    assert json.loads(found[1])["vars"] == hostile
    assert "\u2028" not in html


def test_shared_templates_of_the_project(loaded: Loaded, tmp_path: Any) -> None:
    (tmp_path / "Ours.html").write_text(
        '{% extends "Base.html" %}{% block main %}<b>{% block inner %}{% endblock %}</b>{% endblock %}'
    )
    experiment = loaded(
        f'{STAR}class Start(Page):\n    template = "game/S.html"\npage_order = [Start]\n',
        S_html='{% extends "Ours.html" %}{% block inner %}x{% include "game/I.html" %}{% endblock %}',
        I_html="y",
    )
    assert main(page(experiment)) == "<b>xy</b>"


def test_a_loaded_version_keeps_its_template(loaded: Loaded) -> None:
    old = html_page(loaded, "old")
    new = html_page(loaded, "new")
    assert (main(page(old)), main(page(new))) == ("old", "new")


def test_a_loaded_version_keeps_what_its_template_includes(loaded: Loaded) -> None:
    code = f"{STAR}class Start(Page): ...\npage_order = [Start]\n"
    experiment = loaded(code, Start_html=FRAME % '{% include "Part.html" %}', Part_html="old")
    part = experiment.folder / "Part.html"
    part.write_text("newer")
    assert main(page(experiment)) == "old"


# ---------------------------------------------------------------- escaping


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_html(loaded: Loaded, name: str) -> None:
    html = main(page(html_page(loaded, '<p title="{{ name }}">{{ name }}</p>'), name=name))
    escaped = (
        name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")
    )
    assert html == f'<p title="{escaped}">{escaped}</p>'


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_markdown(loaded: Loaded, name: str) -> None:
    html = main(
        page(
            docstring_page(loaded, "# Hello {{ name }}\n\n    **You** are {{ name }}.\n\n    - {{ name }}\n"), name=name
        )
    )
    escaped = (
        name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")
    )
    assert html == (
        f"<h1>Hello {escaped}</h1>\n<p><strong>You</strong> are {escaped}.</p>\n<ul>\n<li>{escaped}</li>\n</ul>"
    )


@given(st.text(max_size=30))
def test_no_value_becomes_markup(value: str) -> None:
    values = Values(Marks())
    html = values.put_back(
        converter().render(f"# {values.keep(value)}\n\nA *{values.keep(value)}* `{values.keep(value)}`")
    )
    text = re.sub(r"</?(?:h1|p|em|code)>", "", html)
    assert "<" not in text
    assert ">" not in text


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JaVa\tScript:alert(1)", "data:text/html,x", "\x01javascript:x"]
)
def test_no_value_becomes_a_scripted_link(loaded: Loaded, address: str) -> None:
    experiment = docstring_page(loaded, '# Links\n\n    [a]({{ to }}) <a href="{{ to }}">b</a> [c]({{ to }}/x)\n')
    html = main(page(experiment, to=address))
    assert re.findall('href="([^"]*)"', html) == ["#", "#", "#"]


def test_links_to_the_web_stay(loaded: Loaded) -> None:
    html = main(page(docstring_page(loaded, "# L\n\n    [a]({{ to }}?x=1) [b](/p/{{ to }})\n"), to="https://e.com/&a"))
    assert re.findall('href="([^"]*)"', html) == ["https://e.com/&amp;a?x=1", "/p/https://e.com/&amp;a"]


def test_tojson_in_scripts_and_attributes(loaded: Loaded) -> None:
    data = {"a": ["</script>", "it's", '"'], "b": 1.5}
    body = """<script>const d = {{ d|tojson }};</script>
<p data-a="{{ d|tojson }}" data-b='{{ d|tojson }}' {% if d %}data-c="{{ d|tojson }}"{% endif %}>{{ d.b|tojson }}</p>
<script>const e = {{ d|tojson }};</script>"""
    html = page(html_page(loaded, body), d=data)
    for script in re.findall(r"const . = (.*?);</script>", html):
        assert json.loads(script) == data
    attributes = re.findall(r'data-([ac])="([^"]*)"', html) + re.findall(r"data-(b)='([^']*)'", html)
    assert len(attributes) == 3
    for _, text in attributes:
        assert json.loads(text.replace("&#34;", '"')) == data


# ---------------------------------------------------------------- Markdown


def test_markdown_file_and_switches(loaded: Loaded) -> None:
    text = (
        '# Rules\n\n{% set button_next = "I agree" %}\n'
        "{% for n in [1, 2] %}\n- item {{ n }}\n{% endfor %}\n\nOne{% if n %}\ntwo{% endif %}\n\nThree <em>x</em>\n"
    )
    html = page(loaded(f"{STAR}class Start(Page): ...\npage_order = [Start]\n", Start_md=text), n=1)
    assert main(html) == (
        "<h1>Rules</h1>\n<ul>\n<li>item 1</li>\n<li>item 2</li>\n</ul>\n<p>One\ntwo</p>\n<p>Three <em>x</em></p>"
    )
    assert ">I agree</button>" in html


def test_html_that_the_author_vouches_for(loaded: Loaded) -> None:
    text = "# T\n\n    {{ table|safe }}\n\n    {% macro m(x) %}<b>{{ x }}</b>{% endmacro %}a {{ m(name) }}\n"
    html = main(page(docstring_page(loaded, text), table="<table></table>", name="<i>*x*</i>"))
    assert html == "<h1>T</h1>\n<table></table>\n<p>a <b>&lt;i&gt;*x*&lt;/i&gt;</b></p>"


def test_titles(loaded: Loaded) -> None:
    assert docstring_page(loaded, "# Count together").pages["game/Start"].title == "Count together"
    assert docstring_page(loaded, "# Hello {{ x }}").pages["game/Start"].title == "Start"
    code = f'{STAR}class FirstPage(Page):\n    """# X {{{{ x }}}}"""\npage_order = [FirstPage]\n'
    assert loaded(code).pages["game/FirstPage"].title == "First Page"


# ---------------------------------------------------------------- errors


def failure(experiment: Experiment, **more: Any) -> str:
    with pytest.raises(AuthorError) as caught:
        page(experiment, **more)
    return str(caught.value)


def test_undefined_names_have_file_line_and_mend(loaded: Loaded) -> None:
    found = failure(html_page(loaded, "\n\n{{ plyer.name }}"))
    assert found == "game/Start.html:4: 'plyer' is undefined; did you mean 'player'?"
    assert (
        failure(html_page(loaded, "{{ total }}"))
        == "game/Start.html:2: 'total' is undefined; templatevars can define it"
    )


def test_undefined_names_in_docstrings(loaded: Loaded) -> None:
    found = failure(docstring_page(loaded, "# Hello\n\n    {% if true %}\n    {{ plyer }}\n    {% endif %}\n"))
    assert found == "game/__init__.py:6: 'plyer' is undefined; did you mean 'player'?"


def test_errors_in_included_templates(loaded: Loaded) -> None:
    frame = FRAME % '{% include "Part.html" %}'
    experiment = loaded(
        f"{STAR}class Start(Page): ...\npage_order = [Start]\n", Start_html=frame, Part_html="\n{{ 1 / 0 }}"
    )
    assert failure(experiment) == "game/Part.html:2: ZeroDivisionError: division by zero"


def test_errors_say_why(loaded: Loaded) -> None:
    class Context:
        @property
        def total(self) -> int:
            return None.value  # type: ignore[attr-defined,no-any-return]

    html = html_page(loaded, "{{ c.total }}")
    assert failure(html, c=Context()).endswith("'NoneType' object has no attribute 'value'")
    assert "a Context has no 'x'" in failure(html_page(loaded, "{{ c.x }}"), c=Context())
    assert "no template 'Nope.html'" in failure(html_page(loaded, "{% include name %}"), name="Nope.html")
    assert "Context" in failure(html_page(loaded, "{{ c|tojson }}"), c=Context())


def test_python_builtins_are_there(loaded: Loaded) -> None:
    body = "{{ len([1]) }}{{ sum([1, 2]) }}{{ sorted([2, 1]) }}{{ round(1.4) }}{{ max(1, 2) }}"
    body += "{{ str(5) }}{{ _('x') }}{{ 2|to(1) }}"
    assert main(page(html_page(loaded, body))) == "13[1, 2]125x2.0"


# ---------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (2.345, {}, "2.35"),
        (1.005, {}, "1.01"),
        (-1234.5, {"pre": "$"}, "\u2212$1,234.50"),
        (-0.001, {}, "0.00"),
        (36, {"post": " \u20ac"}, "36.00\u00a0\u20ac"),
        (1234.5, {"sep": ".", "decsep": ","}, "1.234,50"),
        (2.5, {"places": 0}, "3"),
        (10**20, {"places": 0}, "100,000,000,000,000,000,000"),
        (float("inf"), {"pre": "$"}, "$inf"),
        (float("nan"), {}, "nan"),
        (True, {}, "1.00"),
    ],
)
def test_fmtnum(value: Any, options: dict[str, Any], text: str) -> None:
    assert fmtnum(value, **options) == text


def test_to() -> None:
    assert to(-1234.567, 1) == "-1234.6"
    assert to(2.345) == "2.35"


@given(
    st.recursive(
        st.none() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_tojson_is_json_without_markup(value: Any) -> None:
    text = str(tojson(value))
    assert json.loads(text) == value
    assert not set("<>&'\u2028\u2029") & set(text)
