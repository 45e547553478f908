"""What participants see: Jinja templates, Markdown pages and docstrings, rendered with the names every template has.

Owns one Jinja environment per loaded experiment; templates are compiled at loading, so that an edit does not touch a
version that runs. Never decides which page is shown, and knows nothing about assets but what its context holds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import jinja2
from jinja2 import meta, nodes, pass_context
from jinja2.runtime import Context, StrictUndefined
from jinja2.utils import missing
from markupsafe import Markup

from promptgrimoire.authoring import chat, filters, translate_tag
from promptgrimoire.authoring.attribute_json import AttributeJson
from promptgrimoire.authoring.extras import extras_of, scripts_of
from promptgrimoire.authoring.markdown import Marks, Values, converter, prepare
from promptgrimoire.authoring.tasks import get_setting
from promptgrimoire.authoring.translate_tag import Prose, texts_of_scripts
from promptgrimoire.errors import AuthorError

OWN_TEMPLATES = Path(__file__).parent / "templates"
_VALUES = "grimoire_values"  # under which name a Markdown rendering keeps its values
_CONVERSIONS = 500  # of Markdown, kept at a time
_SWITCHES = ("buttons", "button_next", "button_back")  # what a Markdown page may {% set %} for Base.html
_BUILTINS: tuple[Callable[..., Any], ...] = (
    *(len, range, min, max, sum, sorted, reversed, enumerate, zip, round, abs, any, all),
    *(str, int, float, bool, list, dict, set, tuple, map, filter, divmod, pow, isinstance, hasattr, repr, ord, chr),
)
# What a page's form puts into its context (see `Form.context`).
OF_FORMS = ("form", "fields", "field", "errors", "likert_matrix", "likert_grid")
# What a page's context always holds; the rest (assets, page_config, …) is for Base.html.
ALWAYS = (
    *("player", "session", "group", "page", "app", "C", "appstatic", "projectstatic", "language", "settings"),
    *("timeout", "button_next", "button_back", "_uproot_errors", "_uproot_field_errors"),
    *OF_FORMS,
)
_OF_THE_FRAME = ("assets", "page_config", "title", "direction", "waiting", *_SWITCHES)
_PROJECT_PARTS = ("ProjectHead.html", "ProjectBody.html")  # beside grimoire.toml: in every page
_OTHER_TEMPLATE = re.compile(r"""\{%-?\s*(?:extends|include)\s+["']([^"']+)["']""")
_UNDEFINED_NAME = re.compile(r"^'(\w+)' is undefined$")


class Undefined(StrictUndefined):
    """An undefined name is an error that names it."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is missing:
            return f"'{self._undefined_name}' is undefined"
        kind = type(self._undefined_obj).__name__
        return f"a {kind} has no '{self._undefined_name}'"


class _Environment(jinja2.Environment):
    """Attribute access that says why: a field never set, an exception inside a property of `Context`.

    Its globals do not change once templates are loaded: each has a plain dict, of which a context is made in a tenth of
    the time.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}

    def getattr(self, obj: Any, attribute: str) -> Any:
        try:
            return getattr(obj, attribute)
        except AttributeError as problem:
            try:
                return obj[attribute]
            except (TypeError, LookupError, AttributeError):
                inside = hasattr(type(obj), attribute) or isinstance(problem, AuthorError)
                return self.undefined(str(problem) if inside else None, obj=obj, name=attribute)


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """What is wrong with a template: where, and what to do about it."""

    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class PageTemplate:
    """A page's template, compiled. `file` is as the author knows it: market/Counter.html."""

    owner: Templates
    template: jinja2.Template
    file: str
    is_markdown: bool
    script_texts: frozenset[str] = frozenset()  # what its scripts ask `_("…")` for
    extras: frozenset[str] = frozenset()  # which of the rarely used client files it needs

    def render(self, context: Mapping[str, Any]) -> str:
        """The page as HTML. Raises AuthorError with file and line for whatever fails in the template."""
        return self.owner.render(self, context)


def render(page_spec: Any, context: Mapping[str, Any]) -> str:
    """A loaded page (a PageSpec) as HTML: `context` holds ALWAYS, and assets and page_config for Base.html."""
    template: PageTemplate = page_spec.template
    return template.render(context)


class Templates:
    """The templates of one loaded experiment."""

    def __init__(self, folder: Path, project: Path, app: str) -> None:
        """`folder` holds the app's templates, `project` those it shares; the framework's own come last."""
        self.folder, self.project, self.app = folder, project, app
        self.searched = (folder, project, OWN_TEMPLATES)
        loader = jinja2.FileSystemLoader([str(one) for one in self.searched])
        self._html = _environment(loader)
        self._markdown = _environment(loader, finalize=_keep_value, trim_blocks=True, lstrip_blocks=True)
        parts = tuple(part for part in _PROJECT_PARTS if project.joinpath(part).is_file())
        self._html.globals["grimoire_parts"] = parts
        self._scripts = tuple(scripts_of(folder))
        self._to_html = converter()
        self._marks = Marks()
        self._conversions: dict[str, str] = {}  # Markdown with tokens -> HTML with tokens
        self._frame = self._html.get_template("Markdown.html")

    # ---------------------------------------------------------------- finding and compiling

    def path_of(self, name: str) -> Path | None:
        """The file that a template name ("X.html", "app/X.html") means, or None."""
        parts = name.split("/")
        if ".." in parts or not name:
            return None
        return next((path for path in (one.joinpath(*parts) for one in self.searched) if path.is_file()), None)

    def known(self) -> list[str]:
        """Names of all templates that the app may use."""
        found = [path.name for one in (self.folder, OWN_TEMPLATES) for path in one.glob("*.*")]
        return sorted(name for name in found if name.endswith((".html", ".md")) and name != "Markdown.html")

    def file(self, name: str) -> PageTemplate:
        """The template of that name. Raises jinja2.TemplateError where it is missing or does not compile."""
        path = self.path_of(name)
        if path is None:
            raise jinja2.TemplateNotFound(name)
        if path.suffix != ".md":
            sources = list(self._sources(name, set()))
            texts = frozenset(text for source in sources for _, text in texts_of_scripts(source))
            extras = extras_of([*sources, *self._scripts])
            return PageTemplate(self, self._html.get_template(name), self.shown(path), False, texts, extras)
        return self._compiled(path.read_text("utf-8"), name, path)

    def parsed(self, source: str, suffix: str) -> nodes.Template:
        """The syntax tree of a page's source. Raises jinja2.TemplateSyntaxError."""
        return self._markdown.parse(prepare(source)) if suffix == ".md" else self._html.parse(source)

    def docstring(self, text: str, name: str, path: Path, line: int) -> PageTemplate:
        """A page written as a docstring that starts on `line` of a Python file."""
        return self._compiled("\n" * (line - 1) + text, name, path)

    def shown(self, path: Path) -> str:
        """A file's name as messages show it: from the project folder."""
        for base in (self.project, OWN_TEMPLATES):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return str(path)

    def _compiled(self, source: str, name: str, path: Path) -> PageTemplate:
        environment = self._markdown
        code = environment.compile(prepare(source), name, str(path))
        template = jinja2.Template.from_code(environment, code, environment.make_globals(None))
        texts, extras = frozenset(text for _, text in texts_of_scripts(source)), extras_of([source, *self._scripts])
        return PageTemplate(self, template, self.shown(path), True, texts, extras)

    def _sources(self, name: str, seen: set[str]) -> Iterator[str]:
        """Of a template, of what it extends and of what it includes."""
        path = self.path_of(name)
        if path is None or name in seen:
            return
        seen.add(name)
        source = path.read_text("utf-8")
        yield source
        for other in _OTHER_TEMPLATE.findall(source):
            yield from self._sources(other, seen)

    # ---------------------------------------------------------------- checking

    def problems(self, name: str) -> Iterator[TemplateProblem]:
        """What is wrong with an HTML page's template, and with those it extends or includes."""
        yield from self._problems(name, set())

    def _problems(self, name: str, seen: set[str]) -> Iterator[TemplateProblem]:
        path = self.path_of(name)
        if path is None or name in seen or path.is_relative_to(OWN_TEMPLATES):
            return
        seen.add(name)
        file = self.shown(path)
        try:
            source = path.read_text("utf-8")
            tree = self._html.parse(prepare(source) if path.suffix == ".md" else source, name, str(path))
            self._html.get_template(name)
        except jinja2.TemplateSyntaxError as problem:
            yield TemplateProblem(file, problem.lineno, problem.message or "syntax error")
            return
        except UnicodeDecodeError:
            yield TemplateProblem(file, 1, "is not UTF-8 text; save it with the encoding UTF-8")
            return
        for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
            target = node.template  # type: ignore[attr-defined]
            if not isinstance(target, nodes.Const) or not isinstance(target.value, str):
                continue
            if self.path_of(target.value) is not None:
                yield from self._problems(target.value, seen)
            elif not getattr(node, "ignore_missing", False):
                yield TemplateProblem(file, node.lineno, f"no template {target.value!r}{self._near(target.value)}")
        yield from self._shape_problems(tree, file, source)

    def unknown_names(self, source: str, always: Iterable[str] = ALWAYS) -> dict[str, int]:
        """Names that a template uses, does not set, and only `templatevars` could define, with their first lines.

        Those that it asks for with care (`is defined`, `|default`) are left out. Empty for what does not compile.
        """
        try:
            tree = self._html.parse(prepare(source))
        except jinja2.TemplateSyntaxError:
            return {}
        careful = {
            name.name
            for node in tree.find_all((nodes.Test, nodes.Filter))
            if node.name in ("defined", "undefined", "default", "d")
            for name in node.find_all(nodes.Name)
        }
        written = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}  # at the top: seen in blocks
        unknown = meta.find_undeclared_variables(tree) - careful - written - {*always, *_OF_THE_FRAME}
        lines: dict[str, int] = {}
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                lines.setdefault(node.name, node.lineno)
        return lines

    def _shape_problems(self, tree: nodes.Template, file: str, source: str) -> Iterator[TemplateProblem]:
        """Text that Jinja would silently drop: outside of blocks, or in a block that no parent has."""
        extends = next((node for node in tree.body if isinstance(node, nodes.Extends)), None)
        if extends is None:
            return
        for line in _lines_outside_blocks(tree):
            yield TemplateProblem(file, line, "text outside of blocks is never shown; put it in {% block main %}")
        known = self._blocks_above(extends)
        for block in (node for node in tree.body if isinstance(node, nodes.Block)):
            if known and block.name not in known:
                near = difflib.get_close_matches(block.name, known, 1)
                mend = f"did you mean {near[0]!r}?" if near else f"blocks are {', '.join(sorted(known))}"
                yield TemplateProblem(file, block.lineno, f"no block {block.name!r} to fill; {mend}")

    def _blocks_above(self, extends: nodes.Extends | None) -> set[str]:
        blocks: set[str] = set()
        while extends is not None and isinstance(extends.template, nodes.Const):
            path = self.path_of(extends.template.value)
            if path is None:
                return set()
            tree = self._html.parse(path.read_text("utf-8"))
            blocks |= {block.name for block in tree.find_all(nodes.Block)}
            extends = next(iter(tree.find_all(nodes.Extends)), None)
        return blocks

    def _near(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.known(), 1)
        return f"; did you mean {near[0]!r}?" if near else ""

    # ---------------------------------------------------------------- rendering

    def render(self, page: PageTemplate, context: Mapping[str, Any]) -> str:
        """See PageTemplate.render."""
        try:
            if not page.is_markdown:
                return _run(page.template, context)[0]
            main, exported = self._from_markdown(page, context)
            switches = {name: exported[name] for name in _SWITCHES if name in exported}
            return _run(self._frame, {**context, **switches, "grimoire_main": main})[0]
        except Exception as problem:  # the author's expressions: anything can happen in them
            self._blame(problem, page, context)

    def fragment(self, page: PageTemplate, context: Mapping[str, Any]) -> str:
        """What a template says, without the frame around it: its block `main`, or all of it where it has none.

        Raises AuthorError with file and line for whatever fails in the template.
        """
        try:
            if page.is_markdown:
                return str(self._from_markdown(page, context)[0])
            main = page.template.blocks.get("main", page.template.root_render_func)
            return "".join(main(page.template.new_context(dict(context))))
        except Exception as problem:  # the author's expressions: anything can happen in them
            self._blame(problem, page, context)

    def _from_markdown(self, page: PageTemplate, context: Mapping[str, Any]) -> tuple[Markup, Mapping[str, Any]]:
        """A Markdown template as HTML, and what it {% set %}."""
        values = Values(self._marks)
        text, exported = _run(page.template, {**context, _VALUES: values})
        return values.put_back(self._converted(text)), exported

    def _converted(self, text: str) -> str:
        """Markdown as HTML. With tokens in place of the values, most pages give the same text again and again."""
        html = self._conversions.get(text)
        if html is None:
            html = self._to_html.render(text)
            if len(self._conversions) >= _CONVERSIONS:
                self._conversions.clear()
            self._conversions[text] = html
        return html

    def _blame(self, problem: Exception, page: PageTemplate, context: Mapping[str, Any]) -> NoReturn:
        file, line = _place(problem.__traceback__)
        where = f"{self.shown(Path(file))}:{line}" if file else page.file
        if isinstance(problem, jinja2.TemplateSyntaxError):
            file, line = problem.filename or file, problem.lineno
            where = f"{self.shown(Path(file))}:{line}" if file else page.file
        text = str(problem) or type(problem).__name__
        if isinstance(problem, jinja2.UndefinedError):
            name = _UNDEFINED_NAME.match(text)
            near = difflib.get_close_matches(name[1], [*context, *self._html.globals], 1, 0.75) if name else []
            text += f"; did you mean '{near[0]}'?" if near else "; templatevars can define it" if name else ""
        elif isinstance(problem, jinja2.TemplateNotFound):
            text = f"no template {problem.name!r}{self._near(str(problem.name))}"
        elif not isinstance(problem, AuthorError | jinja2.TemplateError):
            text = f"{type(problem).__name__}: {text}"
        raise AuthorError(f"{where}: {text}") from problem


def _environment(loader: jinja2.BaseLoader, **options: Any) -> jinja2.Environment:
    environment = _Environment(
        loader=loader,
        autoescape=True,
        undefined=Undefined,
        auto_reload=False,
        cache_size=-1,
        extensions=[AttributeJson],
        **options,
    )
    filters.install(environment)
    translate_tag.install(environment)
    environment.globals |= {builtin.__name__: builtin for builtin in _BUILTINS}
    environment.globals |= {"safe": Markup, "get_setting": get_setting, "chat": chat.shown, "grimoire_parts": ()}
    environment.globals.pop("lipsum", None)
    return environment


@pass_context
def _keep_value(context: Context, value: Any) -> Any:
    """Called by Jinja for each value of a Markdown template; an undefined one raises as it always does."""
    if isinstance(value, Prose):
        return value  # translated Markdown, whose values have been kept
    values: Values = context[_VALUES]
    return values.keep(value if isinstance(value, Markup) else str(value))


def _run(template: jinja2.Template, context: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The text of a template, and what it {% set %} at its top level."""
    local = template.new_context(dict(context))
    text = "".join(template.root_render_func(local))
    return text, local.get_exported()


def _place(traceback: TracebackType | None) -> tuple[str, int]:
    """The innermost template and line of a traceback; ("", 0) where there is none."""
    file, line = "", 0
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            file, line = template.filename or "", template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return file, line


def _lines_outside_blocks(tree: nodes.Template) -> Iterator[int]:
    for node in tree.body:
        if not isinstance(node, nodes.Output):
            continue
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                text = re.sub(r"<!--.*?-->", "", part.data, flags=re.DOTALL)
                if text.strip():
                    yield part.lineno + part.data[: part.data.index(text.strip()[0])].count("\n")
                    return
            else:
                yield part.lineno
                return
