"""What all fields of a form have in common: parameters given by name and checked where they are written, what counts
as an answer, what is never stored.

A field is made twice: by the author, who gets WTForms's "unbound" field, and for each rendering or submission, bound to
a form. Owns the way from posted text to a value; the words are in form_texts.py, the HTML in field_html.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import wtforms
from wtforms.fields.core import UnboundField
from wtforms.meta import DefaultMeta
from wtforms.validators import StopValidation

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.vocabulary import FOREIGN_PARAMETERS, near_miss

LONGEST = 100_000  # characters of one posted text; the limit of a whole form is the setting limits.form
# Never part of an answer: controls but tab and line breaks, what turns the direction of text around, half characters,
# what stands for bytes that were no text.
_HOSTILE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e\ud800-\udfff\ufdd0-\ufdef\ufffd-\uffff]")


class GrimoireField(wtforms.Field):  # type: ignore[misc]
    """Base of the framework's fields. Without `optional=True` an answer is needed.

    Raises TypeError where a parameter does not exist, with the one that was meant, and where its value cannot be.
    """

    keywords: ClassVar[frozenset[str]] = frozenset()
    multiple: ClassVar[bool] = False  # whether more than one value may be posted
    grouped: ClassVar[bool] = False  # several inputs: a fieldset with a legend, not a label
    given: bool = False  # whether there was an answer in the submission
    prefilled: bool = False  # whether the value that is shown is an earlier answer

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_form" in kwargs:
            return object.__new__(cls)
        if args:
            raise TypeError(f"{cls.__name__}: parameters are given by name, as in {cls.__name__}(label={args[0]!r})")
        for name in kwargs:
            if name not in cls.keywords:
                raise TypeError(f"{cls.__name__}: there is no parameter '{name}'; {_mend(name, cls.keywords)}")
        cls(_form=None, _meta=DefaultMeta(), name="field", **kwargs)  # says at once what is wrong with the values
        return UnboundField(cls, **kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        initialisers = (vars(one).get("__init__") for one in cls.__mro__ if issubclass(one, GrimoireField | Mixin))
        named = (one.__kwdefaults__ or {} for one in initialisers if one is not None)
        cls.keywords = frozenset(name for names in named for name in names if not name.startswith("_"))

    def __init__(
        self,
        *,
        label: Any = "",
        optional: bool = False,
        description: Any = "",
        default: Any = None,
        render_kw: Mapping[str, Any] | None = None,
        widget: Any = None,
        class_wrapper: str | None = None,
        validators: Sequence[Callable[..., Any]] = (),
        **bound: Any,
    ) -> None:
        for name, value in (("label", label), ("description", description)):
            self.expect(isinstance(value, str), name, "text", value)
        self.expect(isinstance(optional, bool), "optional", "True or False", optional)
        self.expect(render_kw is None or isinstance(render_kw, Mapping), "render_kw", "a dict of attributes", render_kw)
        self.expect(class_wrapper is None or isinstance(class_wrapper, str), "class_wrapper", "text", class_wrapper)
        self.expect(widget is None or callable(widget), "widget", "a widget, as in wtforms.widgets", widget)
        super().__init__(
            label=label,
            validators=list(validators),
            description=description,
            default=default,
            widget=widget,
            render_kw=render_kw,
            **bound,
        )
        self.optional = optional
        self.class_wrapper = class_wrapper or ""
        self.heading = label  # WTForms's own label is an element

    # ---------------------------------------------------------------- for kinds of fields

    def parse(self, text: str) -> Any:
        """The value that a text stands for. Raises ValueError, with a text for the participant."""
        return text

    def shown_text(self, value: Any) -> str:
        """How a value stands in the input."""
        return str(value)

    def attributes(self) -> dict[str, Any]:
        """The attributes of the input, beside id, name and value."""
        return {}

    @classmethod
    def expect(cls, fits: bool, name: str, expected: str, found: Any) -> None:
        """Raises TypeError, naming the parameter, where `fits` is false."""
        if not fits:
            raise TypeError(f"{cls.__name__}: {name}: expected {expected}, found {found!r}")

    def say(self, text: str, **filled: Any) -> str:
        """A text in the participant's language."""
        said = str(self.gettext(text))
        return said.format(**filled) if filled else said

    # ---------------------------------------------------------------- what WTForms asks for

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = None
        self.given = bool(valuelist) and bool(str(valuelist[0]).strip())
        if self.given:
            self.data = self.parse(str(valuelist[0]))

    def pre_validate(self, form: Any) -> None:
        """Nobody is told twice what is wrong, and validators see answers only."""
        if self.process_errors:
            raise StopValidation
        if not self.given:
            raise StopValidation() if self.optional else StopValidation(self.say(self.missing_text))

    missing_text: ClassVar[str] = texts.MISSING

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else self.shown_text(self.data)


class Mixin:
    """Base of parameters that several kinds of fields share."""


class Addons(Mixin):
    """Text before and after the input, and a label inside it."""

    def __init__(
        self,
        *,
        addon_start: Any = None,
        addon_end: Any = None,
        class_addon_start: str = "",
        class_addon_end: str = "",
        label_floating: Any = None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.addon_start = addon_start
        self.addon_end = addon_end
        self.class_addon_start = class_addon_start
        self.class_addon_end = class_addon_end
        self.label_floating = label_floating


def hostile_character(text: str) -> str | None:
    """The first character of a text that is never stored, as U+202E; None where there is none."""
    found = _HOSTILE.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def without_hostile(text: str) -> str:
    """The text without the characters that are never stored."""
    return _HOSTILE.sub("", text)


def _mend(name: str, keywords: frozenset[str]) -> str:
    if name in FOREIGN_PARAMETERS:
        return f"here it is {FOREIGN_PARAMETERS[name]}"
    near = near_miss(name, keywords)
    return f"did you mean '{near}'?" if near else f"there are {', '.join(sorted(keywords))}"
