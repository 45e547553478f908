"""The fields of a page in one language: made and checked once, copied into each form, drawn once for all who are new.

Owns what is kept between forms, with the field that the author wrote, so that it goes when that goes. Nothing of a
participant gets into it: a prototype is never filled in, and what can be changed in a copy is the copy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from markupsafe import Markup
from wtforms.fields.core import Flags, Label
from wtforms.form import BaseForm
from wtforms.meta import DefaultMeta
from wtforms.utils import unset_value

from promptgrimoire.authoring import field_html, plain_fields
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.declared import BUILT_IN

_KEPT = "grimoire_prototypes"  # where they are kept, by name and language
_OURS = __name__.partition(".")[0]


def _alike(one: Any) -> Any:
    """A copy of a plain object, in a tenth of the time that `copy.copy` takes."""
    other = object.__new__(type(one))
    vars(other).update(vars(one))
    return other


# What may be changed of a field beside its attributes themselves, and how that is copied.
_COPIED: Mapping[type, Callable[[Any], Any]] = MappingProxyType(
    {list: list.copy, dict: dict.copy, set: set.copy, Flags: _alike, Label: _alike}
)


class Prototype:
    """One field of a page, under its name and in one language."""

    __slots__ = ("_attributes", "_copied", "_drawn", "_name", "_own", "_unbound", "is_constant", "kind")

    def __init__(self, name: str, unbound: Any, meta: DefaultMeta) -> None:
        self._name = name
        self._unbound = plain_fields.ready(unbound)
        self.kind: type = unbound.field_class
        field = self._made(BaseForm({}, meta=meta))
        self.is_constant = not callable(field.default)  # what it is filled in with where nothing else is known
        if self.is_constant:
            field.process(None)
        # What an author's kind of field keeps, and where, is not known: such fields are made anew for each form.
        self._copied = self.kind.__module__.partition(".")[0] == _OURS
        self._attributes: Mapping[str, Any] = MappingProxyType({**vars(field), "_form": None})
        self._own = [
            (key, value, _COPIED[type(value)]) for key, value in self._attributes.items() if type(value) in _COPIED
        ]
        self._drawn: Markup | None = None

    def field(self, form: BaseForm, value: Any = unset_value) -> Any:
        """The field as part of a form, which may do with it what it likes; filled in with its default or `value`."""
        if not self._copied:
            field = self._made(form)
            field.process(None, value)
            field.post_process(None)
            return field
        field = object.__new__(self.kind)
        attributes: dict[str, Any] = field.__dict__
        attributes.update(self._attributes)
        for key, value_of_all, copied in self._own:
            attributes[key] = copied(value_of_all)
        attributes["_form"] = form
        if value is not unset_value or not self.is_constant:
            field.process(None, value)
        return field

    @property
    def drawn(self) -> Markup:
        """How it looks to whoever has not filled it in: the same for everybody, so it is drawn once."""
        if self._drawn is None:
            self._drawn = Markup(field_html.whole(self.field(BaseForm({}, meta=self._attributes["meta"]))))
        return self._drawn

    def _made(self, form: BaseForm) -> Any:
        options = {"name": self._name, "prefix": "", "translations": form.meta.get_translations(form)}
        return form.meta.bind_field(form, self._unbound, options)


def prototype(name: str, unbound: Any, language: Any, meta: DefaultMeta) -> Prototype:
    """The prototype of one entry of a page's `fields`. Raises AuthorError where it cannot be part of a form."""
    kept: dict[Any, Prototype] | None = getattr(unbound, _KEPT, None)
    found = kept.get((name, language)) if kept is not None else None
    if found is None:
        problem = wrong_field(name, unbound)
        if problem is not None:
            raise AuthorError(f"fields: {problem}")
        found = Prototype(name, unbound, meta)
        unbound.__dict__.setdefault(_KEPT, {})[name, language] = found
    return found


def wrong_field(name: object, field: object) -> str | None:
    """What is wrong with one entry of `fields`, with the mend; None where nothing is."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        return f"expected a name for the field, of letters and digits, found {name!r}"
    if name in BUILT_IN:
        return f"{name}: '{name}' is built in; choose another name, such as participant_{name}"
    kind = getattr(field, "field_class", None)
    if kind is None:
        if isinstance(field, type):
            return f"{name}: found the class {field.__name__}; write {field.__name__}(label=...)"
        return f"{name}: expected a field, as in StringField(label=...), found {field!r}"
    mend = plain_fields.why_unsupported(kind)
    return None if mend is None else f"{name}: {kind.__name__} cannot be part of a page's form; {mend}"
