"""How the tests' participant reads a page and answers it."""

from __future__ import annotations

import pytest

from tests.shown import Shown

PAGE = """<!doctype html><html><head><title>x</title><style>p { color: red }</style>
<script type="application/json" id="grimoire-page">{"vars": {"a": "</b>"}}</script></head><body>
<form id="grimoire-form"><input type="hidden" name="_stay" value="3"><input type="hidden" name="_submission" value="">
<input type="hidden" name="_touched" value="age"><main><h1>Some <b>ques</b>tions</h1>
<label for="age">Age</label><input type="number" name="age" id="age" value="30" required>
<fieldset><legend>Gender</legend><input type="radio" name="g" id="g-0" value="f"><label for="g-0">Female</label>
<input type="radio" name="g" id="g-1" value="m" checked><label for="g-1">Male</label></fieldset>
<label><input type="checkbox" name="ok" value="true"> I agree</label>
<input type="checkbox" name="many" value="1" checked><input type="checkbox" name="many" value="2" checked>
<select name="s"><option value="">Choose</option><option value="1">One</option></select>
<textarea name="t">\n one &amp; two</textarea><input type="range" data-name="slider" value="5">
<input name="elsewhere" form="other"><input type="submit" disabled>
<div class="invalid-feedback" id="age-error">Too young</div></main></form>
<button form="grimoire-form">Next</button><button type="button">Not this</button><form id="other"></form>
</body></html>"""


def test_the_form_is_read_as_a_browser_reads_it() -> None:
    page = Shown(200, PAGE)
    assert page.heading == "Some questions"
    assert page.vars == {"a": "</b>"}
    assert list(page.fields) == ["age", "g", "ok", "many", "s", "t", "slider"]
    assert page.hidden == {"_stay": "3", "_submission": "", "_touched": "age"}
    assert {name: one.value for name, one in page.fields.items()} == {
        **{"age": ["30"], "g": ["m"], "ok": [], "many": ["1", "2"], "s": [""], "t": [" one & two"], "slider": []}
    }
    assert page.fields["g"].label == "Gender"
    assert page.fields["g"].choices == {"f": "Female", "m": "Male"}
    assert page.fields["ok"].choices == {"true": "I agree"}
    assert page.buttons == {"": "Next"}
    assert page.errors == {"age": "Too young"}
    assert not page.ended


def test_answers_are_posted_as_a_browser_posts_them() -> None:
    page = Shown(200, PAGE)
    posted = page.answers({"g": "Female", "ok": True, "many": [2], "s": 1, "slider": 7, "age": None})
    assert posted == {
        "_stay": ["3"],
        "_submission": [""],
        "_touched": ["age,g,ok,many,s,slider"],
        "age": [],
        "g": ["f"],
        "ok": ["true"],
        "many": ["2"],
        "s": ["1"],
        "t": [" one & two"],
        "slider": ["7"],
    }
    with pytest.raises(LookupError, match="'x' cannot be chosen"):
        page.answers({"g": "x"})
    with pytest.raises(LookupError, match="elsewhere"):
        page.answers({"elsewhere": "x"})
