"""A page as a participant's browser has it: parsed HTML, what it says, and the form that it asks with.

`Shown(status, html)` reads any page of the framework or of an author. Owns the way from an answer ("Female", 3) to
what a browser posts for it. Knows nothing of HTTP, and nothing of the server's code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_SILENT = frozenset(("script", "style", "template", "head", "noscript"))
_BLOCKS = frozenset(
    (
        *(
            "address",
            "article",
            "aside",
            "blockquote",
            "br",
            "button",
            "dd",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
        ),
        *(
            "figure",
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "label",
            "legend",
            "li",
            "main",
        ),
        *(
            "nav",
            "ol",
            "option",
            "output",
            "p",
            "pre",
            "section",
            "select",
            "table",
            "td",
            "textarea",
            "th",
            "tr",
            "ul",
        ),
    )
)
_UNPOSTED = frozenset(("submit", "button", "reset", "image"))
_ALONE = frozenset(("radio", "checkbox"))
FORM = "grimoire-form"


@dataclass(eq=False)
class Element:
    """An element of a page, with its attributes and what is inside it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """All elements inside, in the order of the page."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    def all(self, *tags: str, **attributes: str) -> list[Element]:
        """Those of these tags (of any, without) and with these attributes; a class is one of the element's classes."""
        return [one for one in self if (not tags or one.tag in tags) and one._has(attributes)]

    def first(self, *tags: str, **attributes: str) -> Element | None:
        return next(iter(self.all(*tags, **attributes)), None)

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    @property
    def text(self) -> str:
        """What it says, in one line."""
        return " ".join("".join(self._parts()).split())

    def _parts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in _SILENT:
                space = " " if child.tag in _BLOCKS else ""
                yield space
                yield from child._parts()
                yield space

    def _has(self, attributes: Mapping[str, str]) -> bool:
        for name, value in attributes.items():
            name = name.rstrip("_")
            found = self.attributes.get(name)
            if found != value and not (name == "class" and value in (found or "").split()):
                return False
        return True


@dataclass
class Field:
    """One question. `choices`: posted values and their labels; `value`: what is posted where it is left alone."""

    name: str
    kind: str  # type of the input, or "select", "textarea"
    choices: dict[str, str] = field(default_factory=dict)
    value: list[str] = field(default_factory=list)
    label: str = ""
    required: bool = False

    def posted(self, answer: Any) -> list[str]:
        """What a browser posts for an answer: a value or label of the choices, several, text, a number, True or False.

        Raises LookupError where that cannot be chosen on the page.
        """
        if answer is None:
            return []
        if self.choices:
            answers: Iterable[Any] = [answer]
            if self.kind == "checkbox" and isinstance(answer, bool) and len(self.choices) == 1:
                return list(self.choices) if answer else []
            if isinstance(answer, list | tuple | set):
                answers = answer
            return [self._key(str(one)) for one in answers]
        return [str(answer)]

    def _key(self, answer: str) -> str:
        if answer in self.choices:
            return answer
        for key, label in self.choices.items():
            if label == answer:
                return key
        raise LookupError(f"{self.name}: {answer!r} cannot be chosen; there are {self.choices}")


class Shown:
    """One page. `fields` are those of its form, by name, in order; `hidden` what the form carries along."""

    def __init__(self, status: int, html: str) -> None:
        self.status = status
        self.html = html
        self.root = parse(html)
        self._labels = {one.get("for"): one.text for one in self.root.all("label")}
        self.fields: dict[str, Field] = {}
        self.hidden: dict[str, str] = {}
        self.form = self.root.first("form", id=FORM)
        if self.form is not None:
            for control in self.root.all("input", "select", "textarea"):
                self._read(control)

    @property
    def heading(self) -> str:
        """The text of the first h1, "" without one."""
        found = self.root.first("h1")
        return "" if found is None else found.text

    @property
    def text(self) -> str:
        """All that the page says, in one line."""
        return self.root.text

    @property
    def config(self) -> dict[str, Any] | None:
        """What the page tells its client; None of a page that is not part of the study (the end, an error)."""
        found = self.root.first("script", id="grimoire-page")
        return None if found is None else dict(json.loads("".join(map(str, found.children))))

    @property
    def vars(self) -> dict[str, Any]:
        """What `jsvars` gives to the page's scripts, and the exported constants."""
        return (self.config or {}).get("vars") or {}

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with the last answers, by field; "" for the page as a whole."""
        found = {one.get("id").removesuffix("-error"): one.text for one in self.root.all(class_="invalid-feedback")}
        alert = self.root.first(class_="grimoire-errors")
        general = [] if alert is None else [one.text for one in alert.all("li") if one.first("a") is None]
        return {**({"": " ".join(general)} if general else {}), **found}

    @property
    def buttons(self) -> dict[str, str]:
        """The buttons that submit the page's form: the name of each ("" for Next), and what it says."""
        found = [one for one in self.root.all("button") if one.get("type", "submit") == "submit"]
        return {one.get("name"): one.text for one in found if one.get("form") == FORM or self._inside(one)}

    @property
    def ended(self) -> bool:
        """Whether nothing follows: neither a page of the study nor one that goes on by itself or asks to try again."""
        return self.status == 200 and self.config is None and self.refresh is None and self.root.first("form") is None

    @property
    def refresh(self) -> float | None:
        """Seconds until it loads itself again."""
        found = next((one for one in self.root.all("meta") if one.get("http-equiv") == "refresh"), None)
        return None if found is None else float(found.get("content").split(";")[0])

    def answers(self, given: Mapping[str, Any]) -> dict[str, list[str]]:
        """What is posted for these answers; what is not among them is posted as it stands in the form.

        Raises LookupError for a field that the page does not show.
        """
        unknown = [name for name in given if name not in self.fields]
        if unknown:
            raise LookupError(f"'{self.heading}' asks {list(self.fields)}, not {unknown}: {self.text[:300]}")
        posted = {name: [value] for name, value in self.hidden.items()}
        for name, one in self.fields.items():
            if one.kind != "file":
                posted[name] = one.posted(given[name]) if name in given else list(one.value)
        if "_touched" in self.hidden:
            before = [name for name in self.hidden["_touched"].split(",") if name]
            posted["_touched"] = [",".join(dict.fromkeys([*before, *given]))]
        return posted

    # ---------------------------------------------------------------- reading

    def _inside(self, control: Element) -> bool:
        return self.form is not None and any(one is control for one in self.form)

    def _read(self, control: Element) -> None:
        owner = control.attributes.get("form")
        name = control.get("name") or control.get("data-name")  # a slider that has not been set has no name yet
        kind = control.get("type", "text") if control.tag == "input" else control.tag
        mine = owner == FORM if owner is not None else self._inside(control)
        if not name or not mine or kind in _UNPOSTED or "disabled" in control.attributes:
            return
        if kind == "hidden":
            self.hidden[name] = control.get("value")
            return
        one = self.fields.setdefault(name, Field(name, kind, label=self._label(control)))
        one.required = one.required or "required" in control.attributes
        if kind in _ALONE:
            key = control.get("value", "on")
            one.choices[key] = self._labels.get(control.get("id"), "") or self._around(control)
            one.value += [key] if "checked" in control.attributes else []
        elif kind == "select":
            options = control.all("option")
            one.choices = {option.get("value", option.text): option.text for option in options}
            chosen = [option for option in options if "selected" in option.attributes] or options[:1]
            one.value = [option.get("value", option.text) for option in chosen]
        elif kind == "textarea":
            one.value = ["".join(map(str, control.children)).removeprefix("\n")]
        elif "data-name" not in control.attributes:
            one.value = [control.get("value")]

    def _label(self, control: Element) -> str:
        if control.get("type") in _ALONE:
            for group in self.root.all("fieldset"):
                legend = group.first("legend")
                if legend is not None and any(one is control for one in group):
                    return legend.text
        return self._labels.get(control.get("id"), "")

    def _around(self, control: Element) -> str:
        return next((one.text for one in self.root.all("label") if any(inner is control for inner in one)), "")


def parse(html: str) -> Element:
    """The page as a tree; its root has no tag."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for index in range(len(self._open) - 1, 0, -1):
            if self._open[index].tag == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)
