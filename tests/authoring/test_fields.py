"""Fields: what each accepts, stores and refuses (evidence 47: of every kind, also the choice fields that broke)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import wtforms
from hypothesis import given
from hypothesis import strategies as st
from wtforms.fields.core import UnboundField

from promptgrimoire.authoring import fields as offered
from promptgrimoire.authoring.fields import (
    BICField,
    BooleanField,
    BoundedChoiceField,
    DateField,
    DecimalField,
    DecimalRangeField,
    EmailField,
    FileField,
    FloatField,
    FloatRangeField,
    IBANField,
    IntegerField,
    LikertField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    Upload,
)
from promptgrimoire.authoring.forms import Checked, build_form
from promptgrimoire.state.values import decode as decode_with
from promptgrimoire.state.values import encode

MISSING = "Please answer this question."
CHARACTER = "contains a character that cannot be stored"
OFFERED = "one of the answers that are offered"


class Kind(NamedTuple):
    """One kind of field: how it is made, what posted values become, what is refused with which words."""

    make: Callable[..., Any]
    takes: dict[str, Any]
    refuses: dict[str, str]
    missing: str = MISSING
    empty: Any = None  # what an optional field stores where nothing was answered


NUMBER = "Please enter a number"
WHOLE = "Please enter a whole number"
ABSURD = {
    "1e999999": NUMBER,
    "9" * 100_000: "This",
    "9" * 60: "too large",
    "nan": NUMBER,
    "inf": NUMBER,
    "-Infinity": NUMBER,
    "1_000": NUMBER,
    "0x10": NUMBER,
    "1,000": NUMBER,
    "\u00b2": NUMBER,
    "12 13": NUMBER,
    "<script>alert(1)</script>": NUMBER,
    "1; DROP TABLE": NUMBER,
    "--1": NUMBER,
    "1e999": "too large",
    "99999999999999999999": "too large",
}
CHOICES = [("a", "First"), (2, "Second"), (Decimal("0.5"), "Half"), (False, "No"), ("<b>", "Bold")]
FORGED = {"c": OFFERED, "1": OFFERED, "0": OFFERED, "False ": OFFERED, "['a']": OFFERED, "x" * 5000: OFFERED}

KINDS: dict[str, Kind] = {
    "IntegerField": Kind(
        IntegerField,
        {"12": 12, " 12 ": 12, "-3": -3, "+4": 4, "007": 7, "12.0": 12, "\u0661\u0662": 12, "\uff11\uff12": 12},
        {name: WHOLE if words == NUMBER else words for name, words in ABSURD.items()}
        | {"1.5": WHOLE, "1e3": WHOLE, "1e999": WHOLE, "9" * 100_000: ""},
    ),
    "IntegerField with bounds": Kind(
        lambda **given: IntegerField(min=1, max=10, step=3, **given),
        {"1": 1, "4": 4, "10": 10},
        {"0": "from 1 to 10", "11": "from 1 to 10", "2": "in steps of 3"},
    ),
    "DecimalField": Kind(
        DecimalField,
        {
            "1.50": Decimal("1.5"),
            "3,5": Decimal("3.5"),
            ".5": Decimal("0.5"),
            "1e3": Decimal(1000),
            "-0.1": Decimal("-0.1"),
        },
        ABSURD,
    ),
    "DecimalField with places": Kind(
        lambda **given: DecimalField(places=2, min=0, max=10.00, **given),
        {"1.5": Decimal("1.50"), "10": Decimal("10.00"), "0.01": Decimal("0.01")},
        {"0.001": "no more than 2 decimal places", "10.01": "from 0 to 10", "-1": "from 0 to 10"},
    ),
    "FloatField": Kind(FloatField, {"1.5": 1.5, "-2": -2.0, "1e3": 1000.0, "0.1": 0.1}, ABSURD),
    "DecimalRangeField": Kind(
        lambda **given: DecimalRangeField(min=0, max=10, step=0.1, **given),
        {"0": Decimal(0), "3.4": Decimal("3.4"), "10": Decimal(10)},
        {"10.1": "from 0 to 10", "0.05": "in steps of 0.1", "x": NUMBER},
    ),
    "FloatRangeField": Kind(
        lambda **given: FloatRangeField(min=-1.0, max=1.0, step=0.000001, **given),
        {"0.5": 0.5, "-1": -1.0},
        {"1.1": "from -1 to 1", "0.0000001": "in steps of"},
    ),
    "StringField": Kind(
        StringField,
        {
            "Zoë": "Zoë",
            " a ": " a ",
            "<script>alert(1)</script>": "<script>alert(1)</script>",
            "one\r\ntwo": "one two",
            "\u05e9\u05dc\u05d5\u05dd \u200f!": "\u05e9\u05dc\u05d5\u05dd \u200f!",
            "\U0001f600" * 100: "\U0001f600" * 100,
        },
        {"x" * 10_001: "at most 10000 characters", "x" * 100_001: "could not be read"},
    ),
    "StringField with lengths": Kind(
        lambda **given: StringField(min_length=2, max_length=3, **given),
        {"ab": "ab", "\U0001f600\U0001f600\U0001f600": "\U0001f600\U0001f600\U0001f600"},
        {"a": "at least 2", "abcd": "at most 3 characters. Your text has 4"},
    ),
    "TextAreaField": Kind(
        TextAreaField, {"one\r\ntwo\rthree": "one\ntwo\nthree", "a\tb": "a\tb"}, {"x" * 100_001: "could not be read"}
    ),
    "EmailField": Kind(
        EmailField,
        {"name@example.org": "name@example.org", " a.b+c@sub.example.co.uk ": "a.b+c@sub.example.co.uk"},
        dict.fromkeys(
            ["name", "@example.org", "a@b", "a b@example.org", "a@example..org", "a@-b.org", "ä@example.org"],
            "enter an email address",
        )
        | {"x" * 300 + "@example.org": "at most 254"},
    ),
    "IBANField": Kind(
        IBANField,
        {
            "DE89 3704 0044 0532 0130 00": "DE89370400440532013000",
            "gb82west12345698765432": "GB82WEST12345698765432",
            "NO93-8601-1117-947": "NO9386011117947",
        },
        dict.fromkeys(
            ["DE89 3704 0044 0532 0130 01", "DE893704004405320130", "XX", "12345", "DE89<b>", "\uff24\uff2589"],
            "not a valid IBAN",
        ),
    ),
    "BICField": Kind(
        BICField,
        {"COBADEFFXXX": "COBADEFFXXX", "deut deff": "DEUTDEFF"},
        dict.fromkeys(["DEUT", "DEUTDEFFX", "1234DEFF", "DEUTDE€F"], "not a valid BIC"),
    ),
    "DateField": Kind(
        lambda **given: DateField(min="2020-01-01", max=date(2030, 12, 31), **given),
        {"2024-02-29": date(2024, 2, 29), " 2020-01-01 ": date(2020, 1, 1)},
        dict.fromkeys(
            ["2023-02-29", "29.02.2024", "2024-2-9", "20240229", "2024-W09-4", "\u0662\u0660\u0662\u0664-01-01", "now"],
            "enter a date, such as",
        )
        | {
            "2019-12-31": "from 2020-01-01 to 2030-12-31",
            "9999-12-31": "from 2020-01-01",
            "99999-01-01": "enter a date",
        },
    ),
    "BooleanField": Kind(BooleanField, {"true": True, "on": True, "y": True, "false": False}, {}, "", False),
    "BooleanField for consent": Kind(
        lambda **given: BooleanField(required=True),
        {"true": True},
        {"false": "Please tick this box"},
        "Please tick this box",
    ),
    "RadioField": Kind(
        lambda **given: RadioField(choices=CHOICES, **given),
        {"a": "a", "2": 2, "0.5": Decimal("0.5"), "False": False, "<b>": "<b>"},
        FORGED,
    ),
    "RadioField of yes and no": Kind(RadioField, {"True": True, "False": False}, {"true": OFFERED, "maybe": OFFERED}),
    "SelectField": Kind(
        lambda **given: SelectField(choices=dict(CHOICES), **given), {"a": "a", "2": 2, "False": False}, FORGED
    ),
    "LikertField": Kind(
        LikertField, {"1": 1, "7": 7}, {"0": OFFERED, "8": OFFERED, "1.0": OFFERED, "\u0661": OFFERED, "1e0": OFFERED}
    ),
    "BoundedChoiceField": Kind(
        lambda **given: BoundedChoiceField(choices=CHOICES, min=1, **given), {"2": [2]}, FORGED, "at least 1", []
    ),
    "wtforms.IntegerField": Kind(
        lambda **given: wtforms.IntegerField(validators=_needed(**given)),
        {"12": 12},
        {"x": "Not a valid integer", "9" * 5000: "could not be read", "1.5": "Not a valid integer"},
        "This field is required.",
    ),
    "wtforms.DecimalField": Kind(
        lambda **given: wtforms.DecimalField(validators=_needed(**given)),
        {"1.5": Decimal("1.5")},
        {"x": "Not a valid decimal", "9" * 5000: "could not be read", "NaN": "too large", "1e999999": "too large"},
        "This field is required.",
    ),
    "wtforms.FloatField": Kind(
        lambda **given: wtforms.FloatField(validators=_needed(**given)),
        {"1.5": 1.5},
        {"inf": "too large", "nan": "too large", "1e999": "too large"},
        "This field is required.",
    ),
    "wtforms.StringField": Kind(
        lambda **given: wtforms.StringField(validators=_needed(**given)), {"a": "a"}, {}, "This field is required.", ""
    ),
    "wtforms.SelectField": Kind(
        lambda **given: wtforms.SelectField(
            choices=[("", "-"), (1, "One")], coerce=_whole, validators=_needed(**given)
        ),
        {"1": 1},
        {"2": "Not a valid choice", "x": "Invalid Choice"},
        "This field is required.",
    ),
    "wtforms.RadioField": Kind(
        lambda **given: wtforms.RadioField(choices=[(1, "Yes"), (0, "No")], validators=_needed(**given)),
        {"1": "1"},
        {"2": "Not a valid choice"},
        "This field is required.",
    ),
}
HOSTILE = ["a\x00b", "a\u202eb", "\u202d", "a\ud800", "\x1b[31m", "\x85", "\ufffd", "\ufffe", "\x7f"]
NAMED = [name for name in offered.__all__ if name != "Upload"]


def decode(text: bytes) -> Any:
    return decode_with(text, lambda key: None)


def _needed(optional: bool = False, **rest: Any) -> list[Any]:
    return [wtforms.validators.Optional() if optional else wtforms.validators.InputRequired()]


def _whole(text: Any) -> Any:
    return "" if text in ("", None) else int(text)


def checked(field: Any, *posted: str, **uploads: Upload) -> Checked:
    return build_form({"answer": field}).check({"answer": list(posted)} if posted else {}, uploads)


def cases(of: str) -> list[Any]:
    return [
        pytest.param(kind, text, expected, id=f"{name}-{text[:20]!a}")
        for name, kind in KINDS.items()
        for text, expected in getattr(kind, of).items()
    ]


def test_the_table_has_every_field() -> None:
    assert {name.split()[0] for name in KINDS if not name.startswith("wtforms")} == {*NAMED} - {"FileField"}


@pytest.mark.parametrize(("kind", "text", "value"), cases("takes"))
def test_a_right_answer_is_stored_with_its_type(kind: Kind, text: str, value: Any) -> None:
    for field in (kind.make(), kind.make(optional=True)):
        found = checked(field, text)
        assert found.errors == {}
        stored = found.values["answer"]
        assert stored == value
        assert type(stored) is type(value)
        again = decode(encode(stored))
        assert (again, type(again)) == (value, type(value))


@pytest.mark.parametrize(("kind", "text", "words"), cases("refuses"))
def test_a_wrong_answer_is_refused_in_words(kind: Kind, text: str, words: str) -> None:
    form = build_form({"answer": kind.make()})
    found = form.check({"answer": [text]})
    assert words in found.errors["answer"][0]
    assert len(found.errors["answer"]) == 1
    assert found.values["answer"] in (None, [])
    shown = form.all_fields()
    assert "<script>" not in shown
    assert "answer-error" in shown


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_characters_are_refused_and_named(kind: Kind, text: str) -> None:
    form = build_form({"answer": kind.make()})
    found = form.check({"answer": [text]})
    assert CHARACTER in found.errors["answer"][0]
    assert found.values == {"answer": None}
    form.all_fields().encode()  # no half characters in the page


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
def test_a_missing_answer_is_an_error_or_none(kind: Kind) -> None:
    for posted in ((), ("",)) if kind is not KINDS["BoundedChoiceField"] else ((),):
        if kind.missing:
            assert kind.missing in checked(kind.make(), *posted).errors["answer"][0]
        if kind.make is not KINDS["BooleanField for consent"].make:
            found = checked(kind.make(optional=True), *posted)
            if not found.errors:  # what a select field of WTForms says of a missing value is its own affair
                assert found.values["answer"] in (kind.empty, None, "")


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
def test_two_answers_to_one_question_are_refused(kind: Kind) -> None:
    texts = list(kind.takes)
    found = checked(kind.make(), texts[0], texts[-1])
    if "Bounded" not in repr(kind.make()):
        assert found.errors == {"answer": ["Please give one answer only."]}


def test_other_names_say_nothing() -> None:
    found = build_form({"age": IntegerField()}).check({"age": ["1"], "payoff": ["1000000"], "name": ["x"]})
    assert found.values == {"age": 1}


# ---------------------------------------------------------------- kinds with rules of their own


def test_of_several_boxes_all_are_stored_in_the_order_of_the_choices() -> None:
    field = BoundedChoiceField(choices=CHOICES, min=1, max=2)
    assert checked(field, "2", "a").values["answer"] == ["a", 2]
    assert checked(field, "a", "a").values["answer"] == ["a"]
    assert "from 1 to 2" in checked(field, "a", "2", "0.5").errors["answer"][0]
    assert "offered" in checked(field, "a", "forged").errors["answer"][0]
    exactly = BoundedChoiceField(choices=["a", "b", "c"], min=2, max=2)
    assert "exactly 2" in checked(exactly, "a").errors["answer"][0]
    assert checked(BoundedChoiceField(choices=[1, 2], min=1, optional=True)).values["answer"] == []
    assert checked(BoundedChoiceField(choices=[1, 2])).values["answer"] == []


def test_a_correct_answer_is_needed_and_every_attempt_counts() -> None:
    fields = {
        "sum": RadioField(choices=[(3, "3"), (4, "4")], correct=4, hint="Two and two."),
        "free": RadioField(choices=[1, 2]),
    }
    wrong = build_form(fields).check({"sum": ["3"], "free": ["1"]})
    assert wrong.errors == {"sum": ["Two and two."]}
    assert wrong.attempted == {"sum"}
    right = build_form(fields).check({"sum": ["4"]})
    assert right.attempted == {"sum"}
    assert "sum" not in right.errors
    assert build_form(fields).check({"free": ["1"]}).attempted == frozenset()
    assert "not correct" in checked(RadioField(choices=[1, 2], correct=1), "2").errors["answer"][0]


def test_evidence_44_an_untouched_slider_without_anchoring_is_no_answer() -> None:
    slider = DecimalRangeField(min=0, max=10, default=3, anchoring=False)
    found = checked(slider)
    assert found.errors == {"answer": [MISSING]}
    assert found.values == {"answer": None}
    page = build_form({"answer": slider}).all_fields()
    assert ' name="answer"' not in page  # so the browser posts nothing
    assert 'data-name="answer"' in page
    kept = build_form({"answer": slider, "other": IntegerField()})
    kept.check({"answer": ["7"]})
    assert ' name="answer"' in kept.all_fields()
    assert 'value="7"' in build_form({"answer": slider}, defaults={"answer": Decimal(7)}).all_fields()


def test_where_time_runs_out_only_touched_valid_answers_count() -> None:
    """evidence 44: never a default that nobody chose, nor half an answer."""
    fields = {
        "age": IntegerField(min=18),
        "risk": DecimalRangeField(min=0, max=10, default=5),
        "text": StringField(default="nothing"),
        "agree": BooleanField(),
        "quiz": RadioField(choices=[1, 2], correct=1),
    }
    data = {
        "age": ["17"],
        "risk": ["5"],
        "text": ["nothing"],
        "quiz": ["2"],
        "_touched": ["age,text,agree,quiz,forged"],
    }
    found = build_form(fields).timed_out(data)
    assert found == {"age": None, "risk": None, "text": "nothing", "agree": False, "quiz": None}
    assert build_form(fields).timed_out({"risk": ["4"], "_touched": ["risk"]})["risk"] == Decimal(4)


def test_a_file_is_an_upload_or_nothing() -> None:
    upload = Upload("cv.PDF", 2_000, "application/pdf", "0" * 64)
    field = FileField(accept=("image/*", ".pdf"), max_size=3_000)
    assert checked(field, answer=upload).values["answer"] is upload
    assert decode(encode(upload)) == upload
    assert checked(field, "a text in its place").errors == {"answer": ["Please choose a file."]}
    assert checked(FileField(optional=True)).values == {"answer": None}
    for wrong, words in (
        (Upload("cv.pdf", 3_001, "application/pdf", ""), "at most 3 kB"),
        (Upload("cv.exe", 10, "application/x-msdownload", "0"), "image/*, .pdf"),
        (Upload("cv.pdf", 0, "application/pdf", "0"), "empty"),
        (Upload("cv.pdf", 10, "application/pdf", ""), "too large"),
    ):
        assert words in checked(field, answer=wrong).errors["answer"][0]
    assert checked(StringField(), answer=upload).errors == {"answer": [MISSING]}
    assert checked(wtforms.FileField(), answer=upload).values["answer"] is upload


def test_evidence_47_our_choice_fields_use_nothing_of_wtforms_select_fields() -> None:
    """Releases of WTForms changed what choices are, how they are iterated and drawn, four times since 3.0."""
    for kind in (SelectField, RadioField, LikertField, BoundedChoiceField):
        inherited = [one for one in kind.__mro__ if one.__module__.startswith("wtforms")]
        assert inherited == [wtforms.Field]


def test_evidence_47_plain_select_fields_are_given_choices_as_the_next_release_wants_them() -> None:
    """Pairs are deprecated there, and warnings are errors here."""
    field = wtforms.SelectField(choices=[("a", "First"), ("b", "Second", {"disabled": True})])
    page = build_form({"answer": field}).all_fields()
    assert '<option value="a">First</option>' in page
    assert "disabled" in page
    assert checked(field, "a").values["answer"] == "a"


# ---------------------------------------------------------------- what authors write

MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "misspelt": (lambda: IntegerField(lable="Age"), "no parameter 'lable'; did you mean 'label'?"),
    "another field's": (lambda: StringField(min=1), "StringField: there is no parameter 'min'"),
    "by position": (lambda: IntegerField(*["Age"]), "by name, as in IntegerField(label='Age')"),
    "bounds": (lambda: IntegerField(min=5, max=1), "min=5 is greater than max=1"),
    "text for a number": (lambda: DecimalField(min="1"), "min: expected a number, found '1'"),
    "step": (lambda: DecimalField(step=0), "step: expected a number greater than 0"),
    "not a number": (lambda: FloatField(max=float("nan")), "max: expected a number"),
    "slider without ends": (lambda: DecimalRangeField(label="x"), "min: expected a number: a slider has two ends"),
    "no choices": (lambda: SelectField(label="x"), "choices: expected choices"),
    "empty choices": (lambda: SelectField(choices=[]), "at least one choice"),
    "text as choices": (lambda: SelectField(choices="abc"), "expected choices, as in"),
    "same value twice": (lambda: RadioField(choices=[(1, "a"), ("1", "b")]), "different values"),
    "a list as value": (lambda: RadioField(choices=[([1], "a")]), "values that are text, numbers"),
    "default not offered": (lambda: RadioField(choices=[1, 2], default=3), "default: expected one of the choices"),
    "correct not offered": (lambda: RadioField(choices=[1, 2], correct="1"), "correct: expected one of the choices"),
    "hint alone": (lambda: RadioField(choices=[1, 2], hint="x"), "hint: expected correct=..."),
    "layout": (lambda: RadioField(layout="inline"), 'layout: expected "vertical" or "horizontal"'),
    "date": (lambda: DateField(min="1.5.2026"), 'min: expected a date, as in "2026-05-01"'),
    "max of boxes": (lambda: BoundedChoiceField(choices=[1], min=2), "min: expected a number from 0 to 1"),
    "accept": (lambda: FileField(accept="pdf"), "accept: expected content types and endings"),
    "label": (lambda: StringField(label=3), "label: expected text, found 3"),
    "optional": (lambda: StringField(optional="yes"), "optional: expected True or False"),
    "likert": (lambda: LikertField(min=7, max=1), "more than min=7"),
}


@pytest.mark.parametrize(("make", "words"), list(MISTAKES.values()), ids=list(MISTAKES))
def test_a_wrong_parameter_is_an_error_where_it_is_written(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize("name", NAMED)
def test_every_field_has_the_common_parameters(name: str) -> None:
    kind = getattr(offered, name)
    own: dict[str, Any] = {"DecimalRangeField": {"min": 0, "max": 1}, "FloatRangeField": {"min": 0, "max": 1}}.get(
        name, {}
    )
    if "choices" in kind.keywords and name not in ("RadioField", "LikertField"):
        own = {"choices": [1, 2]}
    field = kind(
        label="Which <one>?",
        optional=True,
        description="As you <like>.",
        render_kw={"class": "w-50", "data-x": "1"},
        class_wrapper="mb-5",
        validators=[],
        widget=None,
        **own,
    )
    assert isinstance(field, UnboundField)
    page = build_form({"answer": field}).all_fields()
    for piece in (
        "Which &lt;one&gt;?",
        "As you &lt;like&gt;.",
        "w-50",
        'data-x="1"',
        "mb-5",
        'id="answer-description"',
    ):
        assert piece in page
    drawn = kind(widget=lambda field, **given: "drawn by the author", **own)
    assert "drawn by the author" in build_form({"answer": drawn}).all_fields()


# ---------------------------------------------------------------- round trips


@given(st.integers(-(10**18), 10**18))
def test_whole_numbers_come_back(value: int) -> None:
    assert checked(IntegerField(), str(value)).values["answer"] == value


@given(st.decimals(-(10**15), 10**15, places=6))
def test_decimals_come_back(value: Decimal) -> None:
    assert checked(DecimalField(), str(value)).values["answer"] == value


@given(st.floats(-1e15, 1e15).filter(lambda value: value == 0 or abs(value) > 1e-15))
def test_floats_come_back(value: float) -> None:
    assert checked(FloatField(), repr(value)).values["answer"] == value


@given(st.text(min_size=1, max_size=200))
def test_any_text_comes_back_or_is_refused_in_words(text: str) -> None:
    found = checked(TextAreaField(), text)
    value = found.values["answer"]
    if found.errors:
        assert value is None
        return
    assert value == text.replace("\r\n", "\n").replace("\r", "\n")
    assert decode(encode(value)) == value


@given(st.dates())
def test_dates_come_back(value: date) -> None:
    assert checked(DateField(), value.isoformat()).values["answer"] == value


@given(st.lists(st.one_of(st.text(min_size=1, max_size=9), st.integers(), st.booleans()), min_size=1, max_size=6))
def test_choices_come_back_with_their_types(values: list[Any]) -> None:
    values = list({str(value): value for value in values}.values())
    for value in values:
        found = checked(RadioField(choices=[(one, "label") for one in values]), str(value))
        if not found.errors:
            assert (found.values["answer"], type(found.values["answer"])) == (value, type(value))


@given(st.lists(st.text(max_size=40), max_size=3), st.sampled_from(sorted(KINDS)))
def test_whatever_is_posted_is_stored_right_or_refused_in_words(posted: list[str], name: str) -> None:
    form = build_form({"answer": KINDS[name].make()})
    found = form.check({"answer": posted})
    assert set(found.errors) <= {"answer"}
    assert all(text for texts in found.errors.values() for text in texts)
    decode(encode(found.values["answer"]))
    form.all_fields().encode()
    form.summary().encode()
