"""Forms: made from fields, shown with labels, errors and earlier answers; checked; refused by the author's validate."""

from __future__ import annotations

from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
import wtforms
from markupsafe import Markup

from promptgrimoire.authoring.fields import (
    BooleanField,
    BoundedChoiceField,
    DecimalField,
    DecimalRangeField,
    FileField,
    IntegerField,
    LikertField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from promptgrimoire.authoring.forms import Form, build_form
from promptgrimoire.authoring.language import Languages
from promptgrimoire.errors import AuthorError, ExperimentError
from tests.authoring.conftest import Loaded

STAR = "from promptgrimoire import *\n"


class Elements(HTMLParser):
    """Tags with their attributes, and the ids that exist."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def ids(self) -> set[str | None]:
        return {given["id"] for _, given in self.found if "id" in given}

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [given for _, given in self.found if given.get("name") == name]


def page(form: Form) -> str:
    return str(form.all_fields())


# ---------------------------------------------------------------- showing


def test_labels_descriptions_and_errors_belong_to_their_inputs() -> None:
    form = build_form(
        {
            "age": IntegerField(label="Age", description="In years."),
            "team": RadioField(label="Team", choices=["a", "b"], description="One of them."),
            "agree": BooleanField(label="Agree", required=True),
            "plain": wtforms.StringField("Plain", validators=[wtforms.validators.InputRequired()]),
            "plain_radio": wtforms.RadioField("Radio", choices=[("1", "One")]),
        }
    )
    form.check({})
    elements = Elements(page(form))
    for _, given in elements.found:
        for target in (given.get("aria-describedby") or "").split():
            assert target in elements.ids()
        if "for" in given:
            assert given["for"] in elements.ids()
    (age,) = elements.named("age")
    assert (age["aria-describedby"], age["aria-invalid"]) == ("age-description age-error", "true")
    assert "required" in age
    group = next(given for tag, given in elements.found if tag == "fieldset" and given["id"] == "field-team")
    assert (group["role"], group["aria-describedby"]) == ("radiogroup", "team-description team-error")
    summary = Elements(form.summary())
    assert {given["href"] for tag, given in summary.found if tag == "a"} <= {f"#{one}" for one in elements.ids()}
    assert ("role", "alert") in summary.found[0][1].items()


def test_a_field_without_a_label_is_named_all_the_same() -> None:
    form = build_form({"your_age": IntegerField(), "team": RadioField(), "major": StringField(label_floating="Major")})
    html = page(form)
    assert 'aria-label="your age"' in html
    assert '<fieldset role="radiogroup" aria-required="true" aria-label="team"' in html
    assert '<label for="major">Major</label>' in html


def test_nothing_that_is_text_becomes_html() -> None:
    evil = '"><script>alert(1)</script>'
    form = build_form(
        {
            "a": StringField(label=evil, description=evil, addon_start=evil, default=evil, class_wrapper=evil),
            "b": RadioField(label=evil, choices=[(evil, evil)], correct=evil, hint=evil, render_kw={"title": evil}),
            "c": SelectField(label=evil, choices={evil: evil}),
            "d": LikertField(label=evil, label_min=evil, label_max=evil),
            "e": DecimalRangeField(label=evil, min=0, max=1, label_min=evil, label_max=evil),
            "f": TextAreaField(label=evil),
        }
    )
    form.check({"f": [evil], "a": [evil]})
    form.refuse({"f": evil, "": evil})
    for html in (page(form), str(form.summary()), str(form.context()["likert_matrix"](form["d"], label=evil))):
        assert "<script" not in html
        assert "alert(1)" in html
    marked = build_form({"a": StringField(label=Markup("<b>Bold</b>"))})
    assert "<b>Bold</b>" in page(marked)


def test_fields_shows_what_was_not_shown_yet() -> None:
    form = build_form(
        {"age": IntegerField(label="Age"), "text": StringField(label="Text"), "c": StringField(label="C")}
    )
    names = form.context()
    assert "Age" in names["field"](names["form"].age, class_="w-50")
    assert "Text" in names["fields"]("text")
    assert "Age" not in names["fields"]()
    assert names["fields"]() == ""
    assert str(form["age"]).startswith("<input ")
    assert form.rest() == ""
    with pytest.raises(AttributeError, match="no field 'agee'; did you mean 'age'"):
        names["form"].agee  # noqa: B018


def test_a_field_may_be_named_like_whatever_a_form_can_do() -> None:
    names = ("check", "rest", "field", "context", "shown", "summary", "refuse", "hidden", "data", "errors", "validate")
    form = build_form({name: StringField(label=name.upper()) for name in names})
    found = form.context()
    for name in names:
        assert name.upper() in found["field"](getattr(found["form"], name))
    assert len(found["form"]) == len(list(found["form"])) == len(names)
    assert form.check({name: ["x"] for name in names}).values == dict.fromkeys(names, "x")


def test_a_page_that_shows_no_field_shows_them_all() -> None:
    fields = {"age": IntegerField(label="Age")}
    assert "Age" in build_form(fields).rest("<p>Some text</p>")
    assert build_form(fields).rest('<input name="age">') == ""


def test_the_summary_stands_once_and_only_where_something_is_wrong() -> None:
    form = build_form({"age": IntegerField(label="Age")})
    assert form.summary() == ""
    form.check({"age": ["x"]})
    assert "Please enter a whole number" in form.summary()
    assert form.summary() == ""


def test_answers_are_kept_where_something_is_wrong() -> None:
    form = build_form(
        {
            "a": StringField(),
            "b": TextAreaField(),
            "c": RadioField(choices=[1, 2]),
            "d": BoundedChoiceField(choices=["x", "y"], max=1),
            "e": SelectField(choices=["x", "y"]),
            "f": DecimalField(),
            "g": BooleanField(),
            "h": LikertField(),
        }
    )
    posted = {
        "a": ["<Zoë>"],
        "b": ["\none\ntwo"],
        "c": ["2"],
        "d": ["x", "y"],
        "e": ["y"],
        "f": ["1,5x"],
        "g": ["true"],
    }
    form.check({**posted, "h": ["7"]})
    html = page(form)
    assert 'value="&lt;Zoë&gt;"' in html
    assert ">\n\none\ntwo</textarea>" in html  # browsers drop the first line break
    assert html.count("checked") == 5
    assert '<option value="y" selected>' in html
    assert 'type="text"' in html  # of the number: a browser would not show "1,5x" in a field for numbers
    assert 'value="1,5x"' in html
    hostile = build_form({"b": TextAreaField()})
    hostile.check({"b": ["a long\u202e text\x00"]})
    assert "a long text</textarea>" in page(hostile)


def test_earlier_answers_fill_a_form_and_defaults_do_where_there_are_none() -> None:
    fields = {
        "age": IntegerField(default=18),
        "amount": DecimalField(places=2, default=1),
        "team": RadioField(choices=["a", "b"], default="a"),
        "likes": BoundedChoiceField(choices=[1, 2, 3]),
        "text": StringField(default=lambda: "made"),
    }
    fresh = page(build_form(fields))
    assert 'value="18"' in fresh
    assert 'value="1.00"' in fresh
    assert 'value="a" checked' in fresh
    assert 'value="made"' in fresh
    kept = page(build_form(fields, defaults={"age": 44, "team": "b", "likes": [1, 3], "amount": Decimal("2.5")}))
    assert 'value="44"' in kept
    assert 'value="2.50"' in kept
    assert 'value="b" checked' in kept
    assert kept.count("checked") == 3
    assert page(build_form(fields)) == fresh  # what is remembered of the looks of a field is nobody's answer


def test_a_field_that_stands_twice_on_a_page_is_two_fields() -> None:
    same = IntegerField(label="How many?")
    first, second = (Elements(page(build_form({name: same, "other": StringField()}))) for name in ("a", "b"))
    assert (len(first.named("a")), len(second.named("b"))) == (1, 1)
    both = build_form({"a": same, "b": same})
    assert both.check({"a": ["1"], "b": ["2"]}).values == {"a": 1, "b": 2}


def test_what_one_form_does_to_its_fields_no_other_form_has() -> None:
    class Counting(StringField):
        def __init__(self, **rest: Any) -> None:
            super().__init__(**rest)
            self.inner = {"seen": []}  # type: ignore[var-annotated]

    fields = {
        "age": IntegerField(label="Age", render_kw={"class": "wide"}, min=1),
        "team": RadioField(choices=["a", "b"]),
        "own": Counting(),
    }
    fresh = page(build_form(fields))
    form = build_form(fields)
    form["age"].render_kw["class"] = "narrow"
    form["age"].heading, form["age"].minimum = "Years", 5
    form["team"].choices.reverse()
    form["own"].inner["seen"].append("me")
    form["own"].label.text = form["team"].label.text = "mine"
    for other in (build_form(fields), build_form(fields, defaults={"age": 3})):
        assert (other["age"].render_kw, other["age"].heading, other["age"].minimum) == ({"class": "wide"}, "Age", 1)
        assert [one.key for one in other["team"].choices] == ["a", "b"]
        assert other["own"].inner == {"seen": []}
        assert "mine" not in (other["own"].label.text, other["team"].label.text)
        assert other.check({"age": ["3"], "team": ["b"], "own": ["x"]}).errors == {}
    assert page(build_form(fields)) == fresh


def test_fields_are_made_and_drawn_once_for_all_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = iter(["first", "second"])
    fields = {"age": IntegerField(label="Age"), "now": StringField(default=lambda: next(texts))}
    made: list[str] = []

    def noted(name: str) -> None:
        original = getattr(IntegerField, name)

        def called(*args: Any, **given: Any) -> Any:
            made.append(name)
            return original(*args, **given)

        monkeypatch.setattr(IntegerField, name, called)

    noted("__init__")
    noted("attributes")
    for text in ("first", "second"):
        assert f'value="{text}"' in page(build_form(fields))
    assert build_form({"age": fields["age"]}, language=Languages().get("de")).check({"age": ["3"]}).values == {"age": 3}
    assert made == ["__init__", "attributes", "__init__"]


def test_the_order_that_was_shown_is_shown_again() -> None:
    def fields(*names: str, choices: str) -> dict[str, Any]:
        return {name: RadioField(label=name, choices=list(choices)) for name in names}

    first = build_form(fields("b", "a", choices="312"))
    assert first.shown == {"fields": ["b", "a"], "choices": {"b": ["3", "1", "2"], "a": ["3", "1", "2"]}}
    again = build_form(fields("a", "b", "c", choices="1234"), order=first.shown)
    assert again.shown["fields"] == ["b", "a", "c"]
    assert again.shown["choices"]["b"] == ["3", "1", "2", "4"]
    values = [given["value"] for given in Elements(page(again)).named("b")]
    assert values == ["3", "1", "2", "4"]
    assert build_form({"x": StringField()}, order={"fields": ["gone"], "choices": {"gone": []}}).shown["fields"] == [
        "x"
    ]


def test_forms_speak_the_language_of_the_participant() -> None:
    german = Languages().get("de")
    form = build_form(
        {"age": IntegerField(min=18, max=99), "plain": wtforms.IntegerField(), "list": SelectField(choices=["a"])},
        language=german,
    )
    found = form.check({"age": ["12"], "plain": ["x"]})
    english = build_form({"age": IntegerField(min=18, max=99)}).check({"age": ["12"]})
    assert found.errors["age"] != english.errors["age"]
    assert "18" in found.errors["age"][0]
    assert found.errors["plain"] != ["Not a valid integer value."]
    assert "Please choose" not in page(form)
    assert "Please choose" in page(build_form({"list": SelectField(choices=["a"])}))


def test_forms_with_files_say_so() -> None:
    assert build_form({"cv": FileField()}).has_files
    assert build_form({"cv": wtforms.FileField()}).has_files
    assert not build_form({"cv": StringField()}).has_files


def test_a_matrix_has_one_row_for_each_field_and_needs_the_same_points() -> None:
    form = build_form({name: LikertField(label=name.upper(), max=5, label_min="no") for name in ("a", "b")})
    html = form.context()["likert_matrix"](form["a"], "b", label="Both")
    elements = Elements(html)
    assert [given["aria-labelledby"] for _, given in elements.found if given.get("role") == "radiogroup"] == [
        "a-label",
        "b-label",
    ]
    assert len(elements.named("a")) == len(elements.named("b")) == 5
    assert form.all_fields() == ""
    mixed = build_form({"a": LikertField(max=5), "b": LikertField(), "c": StringField()})
    for other, words in ((mixed["b"], "different points"), (mixed["c"], "expected fields of type LikertField")):
        with pytest.raises(AuthorError, match=words):
            mixed.context()["likert_grid"](mixed["a"], other)


def test_a_matrix_stands_upright_on_a_phone_where_its_words_have_no_room() -> None:
    short, long = ["No", "Rather no", "Rather yes", "Yes"], ["Very inaccurate", "Neither", "Very accurate", "Unknown"]
    form = build_form({"a": LikertField(max=11), "b": LikertField(choices=short), "c": LikertField(choices=long)})
    matrix = form.context()["likert_matrix"]
    assert ["upright" in matrix(field) for field in map(form.__getitem__, "abc")] == [False, False, True]


# ---------------------------------------------------------------- the author's validate


@pytest.mark.parametrize(
    ("returned", "errors"),
    [
        (None, {}),
        ("", {}),
        ([], {}),
        ({}, {}),
        (True, {}),
        ("Too much.", {"": ["Too much."]}),
        (["One.", None, "Two."], {"": ["One.", "Two."]}),
        ({"age": "No.", "": "Really."}, {"age": ["No."], "": ["Really."]}),
        ({"age": ["No.", "Never."], "text": None}, {"age": ["No.", "Never."]}),
    ],
)
def test_what_validate_returns_is_shown(returned: object, errors: dict[str, list[str]]) -> None:
    form = build_form({"age": IntegerField(label="Age"), "text": StringField()})
    form.check({"age": ["1"], "text": ["x"]})
    assert form.refuse(returned) == errors
    summary, html = form.summary(), page(form)
    for name, texts in errors.items():
        for text in texts:
            assert text in summary
            assert (text in html) == bool(name)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (False, "found bool"),
        (3, "found int"),
        ([1], "found int"),
        ({"agee": "No."}, "no|did you mean 'age'"),
        ({"age": {"x": 1}}, "found dict"),
    ],
)
def test_what_validate_cannot_return_is_said(returned: object, words: str) -> None:
    with pytest.raises(AuthorError, match=words):
        build_form({"age": IntegerField()}).refuse(returned)


# ---------------------------------------------------------------- loading

WRONG: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "built-in name": (
        "class A(Page):\n    fields = dict(\n        age=IntegerField(),\n        name=StringField(),\n    )\n",
        "game/__init__.py:5",
        ("A.fields: name", "'name' is built in", "participant_name"),
    ),
    "misspelt parameter": (
        'class A(Page):\n    fields = dict(\n        age=IntegerField(lable="x"),\n    )\n',
        "game/__init__.py:4",
        ("TypeError", "IntegerField: there is no parameter 'lable'; did you mean 'label'?"),
    ),
    "a class": (
        "class A(Page):\n    fields = {'age': IntegerField}\n",
        "game/__init__.py:3",
        ("age: found the class IntegerField; write IntegerField(label=...)",),
    ),
    "no field": (
        "class A(Page):\n    fields = dict(age=18)\n",
        "game/__init__.py:3",
        ("age: expected a field, as in StringField(label=...), found 18",),
    ),
    "a name that is none": (
        "class A(Page):\n    fields = {'my age': IntegerField()}\n",
        "game/__init__.py:3",
        ("expected a name for the field", "'my age'"),
    ),
    "hidden name": ("class A(Page):\n    fields = dict(_stay=IntegerField())\n", "game/__init__.py:3", ("'_stay'",)),
    "nested form": (
        "import wtforms\n\nclass A(Page):\n    fields = dict(a=wtforms.FieldList(wtforms.StringField()))\n",
        "game/__init__.py:5",
        ("FieldList cannot be part of a page's form; write one field each",),
    ),
    "not a dict": ("class A(Page):\n    fields = [IntegerField()]\n", "game/__init__.py:3", ("expected a dict of",)),
}


@pytest.mark.parametrize(("code", "where", "says"), list(WRONG.values()), ids=list(WRONG))
def test_wrong_fields_are_found_while_loading(loaded: Loaded, code: str, where: str, says: tuple[str, ...]) -> None:
    with pytest.raises(ExperimentError) as caught:
        loaded(f"{STAR}{code}\npage_order = [A]\n")
    (problem,) = caught.value.problems
    assert problem.startswith(f"{where}: ")
    for words in says:
        assert words in problem


def test_fields_that_a_hook_makes_are_checked_when_it_has_made_them() -> None:
    for name in ("round", "my age", "_x"):
        with pytest.raises(AuthorError, match=r"built in|expected a name"):
            build_form({name: IntegerField()})
    with pytest.raises(AuthorError, match=r"write IntegerField\(label=...\)"):
        build_form({"age": IntegerField})


def test_one_field_on_two_pages_is_a_warning(loaded: Loaded) -> None:
    pages = "".join(f"class {name}(Page):\n    fields = dict(age=IntegerField())\n\n" for name in "AB")
    (warning,) = loaded(f"{STAR}{pages}page_order = [A, B]\n").warnings
    assert warning.startswith("game/__init__.py:5: B and A both have the field 'age'")
    assert "age_2" in warning


def test_a_template_that_shows_no_field_is_a_warning(loaded: Loaded) -> None:
    code = f"{STAR}class A(Page):\n    fields = dict(age=IntegerField())\n\npage_order = [A]\n"
    frame = '{%% extends "Base.html" %%}{%% block main %%}%s{%% endblock %%}'
    (warning,) = loaded(code, A_html=frame % "<h1>Hello</h1>").warnings
    assert (
        warning
        == "game/A.html:1: A has fields, and its template shows none; add {{ fields() }} where they are to stand"
    )
    for shows in ("{{ fields() }}", "{{ field(form.age) }}", '<input name="age" aria-label="Age">'):
        assert loaded(code, A_html=frame % shows).warnings == ()


def test_a_page_with_fields_needs_no_template(loaded: Loaded) -> None:
    experiment = loaded(
        f'{STAR}class A(Page):\n    """Asks."""\n    fields = dict(age=IntegerField())\n\npage_order = [A]\n'
    )
    assert experiment.pages["game/A"].template is not None
    assert experiment.warnings == ()
