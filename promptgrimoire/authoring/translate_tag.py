"""`{% translate %}…{% endtranslate %}` and `_("…")` in templates.

Owns one Jinja extension and the functions that it calls; the language comes with the context, under LANGUAGE, or is
that of whoever the code runs for. The text of a block is the author's HTML (or Markdown), and so is its translation;
what `_()` gives is plain text, and escaped like any other.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.runtime import Context
from markupsafe import Markup, escape

from promptgrimoire.state.translation import filled, running_language, translated

LANGUAGE = "grimoire_language"  # the name in the context
_BLOCK = "grimoire_translate"
_IN_SCRIPT = re.compile(r"""(?<!\w)_\(\s*(["'`])((?:\\.|(?!\1)[^\\\n])+)\1""")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_LINES = re.compile(r"\s*\n\s*")


class Prose(Markup):
    """A translated text of a Markdown template: still Markdown, unlike a value."""


class Translate(Extension):
    """`{% translate n=len(items) %}one item{% pluralize %}{n} items{% endtranslate %}`; `trans` is the same.

    A text may hold any expression: `{{ player.name }}` is `{player_name}` in catalogues.
    """

    tags = {"translate", "trans"}  # noqa: RUF012  # as Jinja declares it

    def parse(self, parser: Parser) -> nodes.Node:
        opening = next(parser.stream)
        self._ends = (f"name:end{opening.value}", "name:pluralize")
        values = self._given(parser)
        given = frozenset(values)
        count: nodes.Expr | None = next(iter(values.values()), None)
        singular = self._text(parser, values, given)
        arguments: list[nodes.Expr] = [nodes.Const(singular)]
        if parser.stream.current.test("name:pluralize"):
            next(parser.stream)
            if parser.stream.current.type == "name":
                name = parser.stream.expect("name")
                if name.value not in values:
                    parser.fail(f"pluralize: the text has no {{{{ {name.value} }}}}", name.lineno)
                count = values[name.value]
            count = count or next(iter(values.values()), None)
            if count is None:
                parser.fail("pluralize: which number decides? Write {% translate n=number %}", opening.lineno)
            arguments += [nodes.Const(self._text(parser, values, given)), count]
            if parser.stream.current.test("name:pluralize"):
                parser.fail("only one {% pluralize %}: other languages' forms are in their catalogues", opening.lineno)
        next(parser.stream)
        filled_in = [nodes.Keyword(name, value) for name, value in values.items()]
        call = nodes.Call(nodes.Name(_BLOCK, "load"), arguments, filled_in, None, None)
        return nodes.Output([call]).set_lineno(opening.lineno)

    def _given(self, parser: Parser) -> dict[str, nodes.Expr]:
        """What stands in the tag itself: `n=len(items), name`."""
        values: dict[str, nodes.Expr] = {}
        while parser.stream.current.type != "block_end":
            if values:
                parser.stream.expect("comma")
            name = parser.stream.expect("name")
            if parser.stream.skip_if("assign"):
                values[name.value] = parser.parse_expression()
            else:
                values[name.value] = nodes.Name(name.value, "load", lineno=name.lineno)
        parser.stream.expect("block_end")
        return values

    def _text(self, parser: Parser, values: dict[str, nodes.Expr], given: frozenset[str]) -> str:
        """The text up to the next tag, with placeholders; their expressions go into `values`."""
        if parser.stream.current.type == "block_end":
            next(parser.stream)
        text = ""
        while True:
            token = parser.stream.current
            if token.type == "data":
                text += token.value
                next(parser.stream)
            elif token.type == "variable_begin":
                next(parser.stream)
                expression = parser.parse_expression()
                parser.stream.expect("variable_end")
                name = expression.name if isinstance(expression, nodes.Name) else ""
                text += f"{{{name if name in given else _placeholder(expression, values)}}}"
            elif token.type == "block_begin":
                next(parser.stream)
                if parser.stream.current.test_any(*self._ends):
                    return tidy(text, self.environment)
                parser.fail("a translated text holds no other tags; end it before them", token.lineno)
            else:
                parser.fail(f"{self._ends[0][5:]} is missing", token.lineno)


def tidy(text: str, environment: jinja2.Environment) -> str:
    """A block's text as catalogues have it: without line breaks in HTML; without indentation in Markdown."""
    if environment.finalize is not None:
        return inspect.cleandoc(text)
    return _LINES.sub(" ", text.strip())


def _placeholder(expression: nodes.Expr, values: dict[str, nodes.Expr]) -> str:
    """The name of an expression in a text: that of its variable or attribute; numbered where it is taken."""
    name = _name(expression) or "value"
    free, number = name, 1
    while free in values and values[free] != expression:
        number += 1
        free = f"{name}_{number}"
    values[free] = expression
    return free


def _name(node: nodes.Node | None) -> str:
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{_name(node.node)}_{node.attr}".lstrip("_")
    if isinstance(node, nodes.Getitem):
        key = node.arg.value if isinstance(node.arg, nodes.Const) else ""
        return f"{_name(node.node)}_{key}".strip("_") if str(key).isidentifier() else _name(node.node)
    if isinstance(node, nodes.Filter | nodes.Call):
        return _name(node.node)
    return ""


def install(environment: jinja2.Environment) -> None:
    """Give an environment the tag and `_`."""
    environment.add_extension(Translate)
    environment.globals["_"] = _without_context
    environment.globals[_BLOCK] = _block


def _without_context(text: str, plural: str | None = None, /, *, player: Any = None, **values: Any) -> str:
    """`_("…")` in a macro that was imported without the context; everywhere else `Language.says` is `_`."""
    return str(translated(text, plural, getattr(player, "_player", player), values))


@pass_context
def _block(context: Context, text: str, plural: str | None = None, count: Any = 1, /, **values: Any) -> str:
    language = context.get(LANGUAGE) or running_language()
    if language is not None:
        text = language.gettext(text) if plural is None else language.ngettext(text, plural, count)
    elif plural is not None and count != 1:
        text = plural
    finalize = context.environment.finalize
    if finalize is None:
        return Markup(filled(text, {name: escape(value) for name, value in values.items()}))
    return Prose(filled(text, {name: finalize(context, value) for name, value in values.items()}))


# ---------------------------------------------------------------- what there is to translate


def texts_in(tree: nodes.Template) -> Iterator[tuple[int, str, str | None]]:
    """Line, text and plural of everything that a template wants translated."""
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name not in ("_", _BLOCK):
            continue
        said = [one.value for one in call.args if isinstance(one, nodes.Const) and isinstance(one.value, str)]
        if said:
            yield call.lineno, said[0], said[1] if len(said) > 1 else None


def texts_of_scripts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of what a template's JavaScript asks `_("…")` for."""
    script = _JINJA.sub(lambda found: "\n" * found[0].count("\n"), source)  # the lines stay
    for match in _IN_SCRIPT.finditer(script):
        yield script.count("\n", 0, match.start()) + 1, re.sub(r"\\(.)", r"\1", match[2])


def language_names(language: Any) -> Mapping[str, Any]:
    """What a template's context holds about its language."""
    return {LANGUAGE: language, "_": language.says, "language": language.tag, "direction": language.direction}
