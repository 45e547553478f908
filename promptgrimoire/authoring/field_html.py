"""How a field looks: its input, and around it label, description, addons and what is wrong with the answer.

Owns the HTML of single fields; several in one table are likert_html.py. Everything is escaped that is not marked safe.
"""

from __future__ import annotations

from typing import Any

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.choice_fields import BooleanField, BoundedChoiceField, LikertField, OneOf, SelectField
from promptgrimoire.authoring.field_base import Addons, GrimoireField
from promptgrimoire.authoring.html import Attributes, Html, element, escaped, joined, void
from promptgrimoire.authoring.number_fields import RangeField
from promptgrimoire.authoring.plain_fields import GROUPED, MULTIPLE
from promptgrimoire.authoring.text_fields import TextAreaField
from promptgrimoire.authoring.uploads import SENT, FileField

_GROUPS = ("RadioField", "SelectMultipleField")  # of WTForms: lists of inputs


def whole(field: Any, **given: Any) -> Html:
    """A field with all that belongs to it. What is given are attributes of its input, as in `class_="wide"`."""
    if getattr(field, "grouped", field.type in GROUPED):
        return _group(field, given)
    described = described_by(field)
    if isinstance(field, BooleanField) or field.type == "BooleanField":
        inner = joined(
            Html('<div class="form-check">'),
            field(**described, **given),
            element("label", _label(field), {"class": "form-check-label", "for": field.id}),
            Html("</div>"),
        )
        return _wrapped(field, inner, _below(field))
    floating = getattr(field, "label_floating", None)
    if not _heading(field) and not floating:
        described = {"aria_label": _spoken(field), **described}
    inner = field(**{**described, **given, **({"placeholder": " "} if floating else {})})
    if floating:
        label = element("label", floating, {"for": field.id})
        inner = element("div", joined(inner, label), {"class": "form-floating"})
    return _wrapped(field, _top_label(field), _with_addons(field, inner), _below(field))


def control(field: Any, given: Attributes) -> Html:
    """The input (or inputs) of one of our fields."""
    if isinstance(field, LikertField):
        return scale(field, given)
    if isinstance(field, BoundedChoiceField):
        return _boxes(field, "checkbox", given)
    if isinstance(field, SelectField):
        return _select(field, given)
    if isinstance(field, OneOf):
        return _boxes(field, "radio", given)
    if isinstance(field, RangeField):
        return _slider(field, given)
    common = {"id": field.id, "name": field.name, "required": not field.optional}
    wrong = {"aria-invalid": "true"} if field.errors else {}
    if isinstance(field, BooleanField):
        box = {"type": "checkbox", "value": "true", "checked": bool(field.data), "class": "form-check-input"}
        return void("input", common, box, wrong, given)
    look = {"class": "form-control is-invalid" if field.errors else "form-control"}
    if isinstance(field, TextAreaField):
        return element("textarea", "\n" + field._value(), common, look, wrong, field.attributes(), given)
    if isinstance(field, FileField):
        return _file(field, common, look, wrong, given)
    return void("input", common, look, wrong, field.attributes(), {"value": field._value()}, given)


def described_by(field: Any) -> dict[str, str]:
    """The attribute that names the description and the errors of a field, as far as there are any."""
    parts = [f"{field.id}-description"] if field.description else []
    parts += [f"{field.id}-sent"] if getattr(field, "sent", None) is not None else []
    parts += [f"{field.id}-error"] if field.errors else []
    return {"aria-describedby": " ".join(parts)} if parts else {}


def errors_of(field: Any) -> Html:
    """What is wrong with the answer, as its input refers to it."""
    if not field.errors:
        return Html("")
    lines = joined(*(element("div", error) for error in field.errors))
    return element("div", lines, {"class": "invalid-feedback", "id": f"{field.id}-error"})


def scale(field: LikertField, given: Attributes, alone: bool = True) -> Html:
    """The points of a Likert scale; the words at its ends are part of the labels of the first and last one."""
    last = len(field.choices) - 1
    points = []
    for index, choice in enumerate(field.choices):
        end = field.label_min if index == 0 else field.label_max if index == last else ""
        heard = element("span", joined(" ", end), {"class": "visually-hidden"}) if end else ""
        number = element("span", joined(choice.label, heard))
        points.append(element("label", joined(_choice_input(field, index, "radio", given), number)))
    ends = [
        element("span", end, {"class": f"grimoire-end-{name}", "aria-hidden": "true"})
        for name, end in (("min", field.label_min), ("max", field.label_max))
        if end
    ]
    stacked = f" stack-{field.breakpoint}" if field.breakpoint and alone else ""
    style = f"--points: {len(field.choices)}"
    return element("div", joined(*points, *ends), {"class": f"grimoire-scale{stacked}", "style": style})


def first_input(field: Any) -> str:
    """The id that a link to the field leads to."""
    return f"{field.id}-0" if getattr(field, "grouped", field.type in GROUPED) else str(field.id)


def spoken_label(field: Any) -> Any:
    """What to call a field where there is no other room for a label."""
    return _heading(field) or getattr(field, "label_floating", None) or _spoken(field)


# -------------------------------------------------------------------- pieces


def _group(field: Any, given: dict[str, Any]) -> Html:
    one = not getattr(field, "multiple", field.type in MULTIPLE)
    role = {
        "role": "radiogroup" if one else None,
        "aria-required": "true" if one and isinstance(field, GrimoireField) and not field.optional else None,
        "aria-invalid": "true" if one and field.errors else None,
        "aria-label": None if _heading(field) else _spoken(field),
        "id": f"field-{field.id}",
        "class": _classes(field),
    }
    legend = element("legend", _label(field), {"class": "form-label"}) if _heading(field) else ""
    content = joined(legend, field(**given), _below(field))
    return element("fieldset", content, role, described_by(field))


def _wrapped(field: Any, *content: Html | str) -> Html:
    return element("div", joined(*content), {"class": _classes(field), "id": f"field-{field.id}"})


def _classes(field: Any) -> str:
    own = getattr(field, "class_wrapper", "")
    return " ".join(filter(None, ("grimoire-field", own, "has-error" if field.errors else "")))


def _heading(field: Any) -> Any:
    """What the author wrote as label, "" for nothing."""
    return field.heading if isinstance(field, GrimoireField) else field.label.text


def _spoken(field: Any) -> str:
    return str(field.name).replace("_", " ")


def _label(field: Any) -> Html:
    heading = _heading(field) or _spoken(field)
    if isinstance(field, GrimoireField) and field.optional and not isinstance(field, BooleanField):
        note = element("span", f"({field.say(texts.OPTIONAL)})", {"class": "grimoire-optional"})
        return joined(heading, " ", note)
    return joined(heading)


def _top_label(field: Any) -> Html | str:
    return element("label", _label(field), {"class": "form-label", "for": field.id}) if _heading(field) else ""


def _below(field: Any) -> Html:
    described = {"class": "form-text", "id": f"{field.id}-description"}
    description = element("div", field.description, described) if field.description else ""
    return joined(description, errors_of(field))


def _with_addons(field: Any, inner: Html) -> Html:
    if not isinstance(field, Addons) or not (field.addon_start or field.addon_end):
        return inner
    start, end = (
        element("span", addon, {"class": f"input-group-text {classes}".strip()}) if addon else ""
        for addon, classes in (
            (field.addon_start, field.class_addon_start),
            (field.addon_end, field.class_addon_end),
        )
    )
    return element("div", joined(start, inner, end), {"class": "input-group"})


def _choice_input(field: Any, index: int, kind: str, given: Attributes) -> Html:
    choice = field.choices[index]
    return void(
        "input",
        {
            "type": kind,
            "class": "form-check-input",
            "name": field.name,
            "id": f"{field.id}-{index}",
            "value": choice.key,
            "checked": field.chosen(choice),
            "required": kind == "radio" and not field.optional,
            "aria-invalid": "true" if kind == "checkbox" and field.errors else None,
        },
        given,
    )


def _boxes(field: Any, kind: str, given: Attributes) -> Html:
    rows = []
    for index, choice in enumerate(field.choices):
        label = element("label", choice.label, {"class": "form-check-label", "for": f"{field.id}-{index}"})
        row = joined(_choice_input(field, index, kind, given), label)
        rows.append(element("div", row, {"class": "form-check"}))
    look = "grimoire-choices horizontal" if field.layout == "horizontal" else "grimoire-choices"
    return element("div", joined(*rows), {"class": look})


def _select(field: SelectField, given: Attributes) -> Html:
    options = [(choice.key, choice.label, field.chosen(choice)) for choice in field.choices]
    if field.asks:
        options.insert(0, ("", field.say(texts.PLEASE_CHOOSE), False))
    lines = joined(*(element("option", label, {"value": key, "selected": chosen}) for key, label, chosen in options))
    look = {"class": "form-select is-invalid" if field.errors else "form-select"}
    wrong = {"aria-invalid": "true"} if field.errors else {}
    common = {"id": field.id, "name": field.name, "required": not field.optional}
    return element("select", lines, common, look, wrong, given)


def _file(field: FileField, *looks: Attributes) -> Html:
    """With the file that was sent before: it stays unless another is chosen or, where that may be, it is given up."""
    accept = {"type": "file", "accept": ",".join(field.accept) or None}
    most = {"data-most": field.max_size, "data-too-large": field.too_large} if field.max_size else {}
    sent = field.sent
    if sent is None:
        return void("input", *looks, accept, most)
    file = element("bdi", sent.filename)
    said = element("div", Html(escaped(field.say(texts.FILE_SENT)).format(file=file)), {"id": f"{field.id}-sent"})
    named = {"name": SENT + field.name, "value": sent.digest}
    if field.optional:
        box = {"type": "checkbox", "id": f"{field.id}-keep", "checked": True, "class": "form-check-input"}
        label = element("label", field.say(texts.KEEP_FILE), {"for": f"{field.id}-keep", "class": "form-check-label"})
        keep = element("div", joined(void("input", named, box), label), {"class": "form-check"})
    else:
        keep = void("input", named, {"type": "hidden", "autocomplete": "off"})
    file_input = void("input", *looks, accept, most, {"required": False})
    return joined(file_input, element("div", joined(said, keep), {"class": "form-text"}))


def _slider(field: RangeField, given: Attributes) -> Html:
    """Without a value the input has no name, so that nothing is posted; the script gives it one when it is set."""
    unset = not field.is_set
    value = field._value()
    waiting = {"data-name": field.name, "aria-valuetext": field.say(texts.NO_ANSWER_YET)} if unset else {}
    wrong = {"aria-invalid": "true"} if field.errors else {}
    common = {"id": field.id, "name": None if unset else field.name, "value": value, "class": "form-range"}
    slider = void("input", field.attributes(), common, waiting, wrong, given)
    shown = "" if field.hide_popover else element("output", "–" if unset else value, {"for": field.id})  # noqa: RUF001
    ends = joined(element("span", field.label_min), element("span", field.label_max))
    ends = element("div", ends, {"class": "grimoire-ends", "aria-hidden": "true"})
    return element("div", joined(slider, shown, ends), {"class": "grimoire-slider"})
