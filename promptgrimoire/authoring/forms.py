"""A page's form: made from its fields, shown, and checked against what a browser has posted.

`build_form` makes one for one rendering or one submission; none is kept. Owns the way from posted texts to values and
errors. Never stores anything, never asks the author's `validate` (the flow does, and gives its answer to `refuse`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec
from markupsafe import Markup
from wtforms.form import BaseForm
from wtforms.meta import DefaultMeta
from wtforms.utils import unset_value

from promptgrimoire.authoring import field_html, form_texts, likert_html, plain_fields
from promptgrimoire.authoring.choice_fields import ChoiceField, RadioField
from promptgrimoire.authoring.field_base import GrimoireField
from promptgrimoire.authoring.html import element, joined, void
from promptgrimoire.authoring.posted import Posted
from promptgrimoire.authoring.prototypes import Prototype, prototype
from promptgrimoire.authoring.uploads import FileField, Upload
from promptgrimoire.authoring.vocabulary import near_miss
from promptgrimoire.errors import AuthorError, NotStorable, UnknownField
from promptgrimoire.state.values import encode

TOUCHED = "_touched"  # the posted names of the fields that the participant has touched, with commas between them
_MULTIPLE = ("SelectMultipleField",)  # of WTForms


class Checked(msgspec.Struct, frozen=True):
    """What a submission says.

    `values`: of every field, with its type, None (or an empty list) where nothing was answered or something is wrong.
    `errors`: texts for the participant, by field. `touched`: the fields that the participant has touched.
    `attempted`: fields with a correct answer that were answered, rightly or wrongly: each counts as one attempt,
    also where the form as a whole is refused.
    """

    values: dict[str, Any]
    errors: dict[str, list[str]]
    touched: set[str]
    attempted: frozenset[str] = frozenset()


class Texts(Protocol):
    """A language, as `authoring.language.Language` is one; its catalogues include those of WTForms."""

    def gettext(self, text: str) -> str: ...

    def ngettext(self, singular: str, plural: str, n: float) -> str: ...


class Shown:
    """What templates know as `form`: `form.age`, `form["age"]`. It has no other names, which fields could not have."""

    __slots__ = ("_form",)

    def __init__(self, form: Form) -> None:
        self._form = form

    def __getattr__(self, name: str) -> Any:
        return self._form[name]

    def __getitem__(self, name: str) -> Any:
        return self._form[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._form)

    def __contains__(self, name: object) -> bool:
        return name in self._form

    def __len__(self) -> int:
        return len(self._form)


class Form:
    """The fields of a page for one participant: `form["age"]`, in the order in which they are shown."""

    def __init__(self, bound: BaseForm, language: Texts, order: list[str]) -> None:
        self._bound = bound
        self._fields: dict[str, Any] = {name: bound[name] for name in order}
        self._refusals: list[str] = []  # errors that belong to no field
        self._rendered: set[str] = set()
        self._summed_up = False
        self._touched_names: set[str] = set()
        self._fresh: Mapping[str, Prototype] = {}  # fields that look the same for everybody, as the author made them
        self._gettext = language.gettext

    def __getitem__(self, name: str) -> Any:
        if name not in self._fields:
            raise UnknownField(f"this page has no field '{name}'{_meant(name, self._fields)}")
        self._rendered.add(name)
        return self._fields[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fields.values())

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __len__(self) -> int:
        return len(self._fields)

    @property
    def has_files(self) -> bool:
        """Whether it has to be sent as multipart/form-data."""
        return any(field.type == "FileField" for field in self._fields.values())

    @property
    def shown(self) -> dict[str, Any]:
        """The order of the fields, and of the choices of each: to be stored, and given to `build_form` as `order`."""
        choices = {name: [one.key for one in field.choices] for name, field in self._choice_fields()}
        return {"fields": list(self._fields), "choices": choices}

    def _choice_fields(self) -> list[tuple[str, ChoiceField]]:
        return [(name, field) for name, field in self._fields.items() if isinstance(field, ChoiceField)]

    # ---------------------------------------------------------------- checking

    def check(self, data: Mapping[str, list[str]], uploads: Mapping[str, Upload] | None = None) -> Checked:
        """What a submission says; afterwards the form shows it, with its errors. Other names in `data` say nothing."""
        self._fresh = {}
        posted = Posted(self._fields, data, uploads or {})
        refused = {
            name: problem.said(self._gettext) for name in self._fields if (problem := posted.problem(name)) is not None
        }
        self._bound.process(posted)
        self._bound.validate()
        for name, text in refused.items():
            self._fields[name].errors = [text]
            self._fields[name].data = None
            self._fields[name].raw_data = posted.readable(name)
        for name, field in self._fields.items():
            if not field.errors:
                self._check_value(name, field)
        errors = {name: [str(error) for error in field.errors] for name, field in self._fields.items() if field.errors}
        values = {name: None if name in errors else field.data for name, field in self._fields.items()}
        attempted = frozenset(
            name
            for name, field in self._fields.items()
            if isinstance(field, RadioField) and field.correct is not None and field.data is not None
        )
        self._touched_names = self._touched(data)
        return Checked(values, errors, self._touched_names, attempted)

    def timed_out(self, data: Mapping[str, list[str]], uploads: Mapping[str, Upload] | None = None) -> dict[str, Any]:
        """What is stored where time is up: valid answers that the participant has touched; None for the others."""
        checked = self.check(data, uploads)
        wrong = checked.errors.keys()
        return {
            name: value if name in checked.touched and name not in wrong else None
            for name, value in checked.values.items()
        }

    def refused(self, errors: Mapping[str, list[str]]) -> None:
        """Show what was found wrong when this was submitted, by field; "" for what concerns the whole page."""
        self._fresh = {}
        for name, field in self._fields.items():
            field.errors = list(errors.get(name, ()))
        self._refusals = list(errors.get("", ()))

    @property
    def files(self) -> dict[str, Upload | None]:
        """The fields for files, each with what need not be sent again: earlier answers of the next form."""
        return {name: field.kept for name, field in self._fields.items() if isinstance(field, FileField)}

    def refuse(self, problems: object) -> dict[str, list[str]]:
        """Add what `validate` returned (None, a text, a list of texts, or a dict by field) to the errors shown.

        Gives all of it by field, "" for what concerns the whole page; empty where the submission is accepted.
        Raises AuthorError for anything else, and for fields that the page has not.
        """
        found: dict[str, list[str]] = {}
        by_field = problems if isinstance(problems, Mapping) else {"": problems}
        for name, said in by_field.items():
            if name and name not in self._fields:
                raise AuthorError(f"expected errors of this page's fields, found '{name}'{_meant(name, self._fields)}")
            for text in said if isinstance(said, list | tuple) else [said]:
                if text is None or text is True or text == "":
                    continue
                if not isinstance(text, str):
                    expected = "None, a text, a list of texts, or a dict of texts by field"
                    raise AuthorError(f"expected {expected}, found {type(text).__name__}: {text!r}")
                found.setdefault(name, []).append(text)
        self._fresh = {}
        for name, said in found.items():
            if name:
                self._fields[name].errors = [*self._fields[name].errors, *said]
            else:
                self._refusals += said
        return found

    def _check_value(self, name: str, field: Any) -> None:
        """Plain WTForms fields take what ours do not: numbers without end, objects of other kinds."""
        if isinstance(field, GrimoireField):
            return
        if not plain_fields.is_bounded(field.data):
            field.errors = [self._gettext(form_texts.TOO_LARGE)]
        try:
            encode(field.data)
        except NotStorable as problem:
            raise AuthorError(f"field {name}: its value cannot be stored: {problem}") from None

    def _touched(self, data: Mapping[str, list[str]]) -> set[str]:
        named = {name for text in data.get(TOUCHED, ()) for name in text.split(",")}
        sent = {name for name, file in self.files.items() if file is not None}
        return named.intersection(self._fields) | sent

    # ---------------------------------------------------------------- showing

    def fresh(self, prototypes: Mapping[str, Prototype]) -> None:
        """These fields are shown as the author made them, which looks the same for everybody."""
        self._fresh = prototypes

    def context(self) -> dict[str, Any]:
        """The names that templates use; the frame knows the form itself as `grimoire_form`."""
        return {
            "grimoire_form": self,
            "form": Shown(self),
            "fields": self.all_fields,
            "field": self.field,
            "errors": self.summary,
            "likert_matrix": self._likert(likert_html.matrix),
            "likert_grid": self._likert(likert_html.grid),
            "_uproot_errors": list(self._refusals),
            "_uproot_field_errors": {name: list(field.errors) for name, field in self._fields.items() if field.errors},
        }

    def all_fields(self, *names: str) -> Markup:
        """`{{ fields() }}`: all that have not been shown yet; `{{ fields("age", "income") }}`: these."""
        chosen = [self[name] for name in names] or [
            field for name, field in self._fields.items() if name not in self._rendered
        ]
        return Markup(joined(*(self.field(field) for field in chosen)))

    def field(self, field: Any, **attributes: Any) -> Markup:
        """`{{ field(form.age) }}`: with label, description and errors. Attributes go to the input."""
        if isinstance(field, str):
            field = self[field]
        self._rendered.add(field.short_name)
        fresh = None if attributes else self._fresh.get(field.short_name)
        return Markup(field_html.whole(field, **attributes)) if fresh is None else fresh.drawn

    def summary(self) -> Markup:
        """`{{ errors() }}`: what is wrong, with links to the fields; the first call shows it, further ones nothing."""
        wrong = [field for field in self._fields.values() if field.errors]
        if self._summed_up or not (wrong or self._refusals):
            return Markup("")
        self._summed_up = True
        lines = [element("li", text) for text in self._refusals]
        for field in wrong:
            target = f"#{field_html.first_input(field)}"
            shown = field_html.spoken_label(field)
            lines.append(element("li", joined(element("a", shown, {"href": target}), ": ", ", ".join(field.errors))))
        title = self._gettext(form_texts.SUMMARY)
        content = joined(element("p", title, {"class": "alert-heading"}), element("ul", joined(*lines)))
        look = {"class": "alert alert-danger grimoire-errors", "role": "alert", "tabindex": "-1", "autofocus": True}
        return Markup(element("div", content, look))

    def hidden(self) -> Markup:
        """For the frame: where the browser notes which fields were touched, beside those of an earlier submission."""
        if not self._fields:
            return Markup("")
        names = ",".join(sorted(self._touched_names))
        return Markup(void("input", {"type": "hidden", "name": TOUCHED, "value": names, "autocomplete": "off"}))

    def rest(self, written: str = "") -> Markup:
        """The fields that neither the template has shown nor `written` (HTML) contains: of a page without any."""
        if self._rendered or any(f'name="{name}"' in written for name in self._fields):
            return Markup("")
        return self.all_fields()

    def _likert(self, render: Any) -> Any:
        def rendered(*fields: Any, **options: Any) -> Markup:
            found = [self[field] if isinstance(field, str) else field for field in fields]
            self._rendered.update(field.short_name for field in found)
            return Markup(render(found, **options))

        return rendered


def build_form(
    fields: Mapping[str, Any],
    *,
    language: Texts | None = None,
    defaults: Mapping[str, Any] | None = None,
    order: Mapping[str, Any] | None = None,
) -> Form:
    """A form of a page's fields, in English without `language`.

    `defaults`: earlier answers; `order`: what `shown` gave when the fields were first shown.

    Raises AuthorError where a field cannot be part of a form.
    """
    language = language or ENGLISH
    meta = _Meta(language)
    prototypes = {name: prototype(name, unbound, language, meta) for name, unbound in fields.items()}
    earlier = {name: value for name, value in (defaults or {}).items() if name in fields and value is not None}
    bound = BaseForm({}, meta=meta)
    for name, one in prototypes.items():
        bound._fields[name] = field = one.field(bound, earlier.get(name, unset_value))
        if name in earlier and isinstance(field, GrimoireField):
            field.prefilled = True
    if order is None:
        form = Form(bound, language, list(fields))
        form.fresh({name: one for name, one in prototypes.items() if name not in earlier and one.is_constant})
        return form
    places = {name: place for place, name in enumerate(order.get("fields", ()))}
    for name, keys in order.get("choices", {}).items():
        if isinstance(bound._fields.get(name), ChoiceField):
            bound._fields[name].reorder(list(keys))
    return Form(bound, language, sorted(fields, key=lambda name: places.get(name, len(places))))


class _Meta(DefaultMeta):  # type: ignore[misc]
    """How WTForms renders and translates here."""

    def __init__(self, language: Texts) -> None:
        self._language = language

    def get_translations(self, form: Any) -> Any:
        return self._language

    def render_field(self, field: Any, render_kw: Mapping[str, Any]) -> Any:
        if not isinstance(field, GrimoireField) or field.widget is not None:
            return super().render_field(field, {**plain_fields.attributes(field), **render_kw})
        own = field.render_kw or {}
        classes = " ".join(str(one) for one in (own.get("class"), own.get("class_")) if one)
        return Markup(field_html.control(field, {**own, **render_kw, **({"class": classes} if classes else {})}))


class _English:
    """The texts as they are."""

    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, singular: str, plural: str, n: float) -> str:
        return singular if n == 1 else plural


ENGLISH = _English()


def _meant(name: object, fields: Mapping[str, Any]) -> str:
    near = near_miss(str(name), fields)
    return f"; did you mean '{near}'?" if near else f"; there are {', '.join(fields)}" if fields else ""
