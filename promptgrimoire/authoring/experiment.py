"""Loads an experiment, checks it, and holds what was found: `load(path) -> Experiment`.

Owns the order of loading; the module is checked in app.py, its pages in checks.py. All problems are reported
together, in one ExperimentError. A loaded version stays usable whatever becomes of the files. Never runs a session.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from promptgrimoire.authoring import advice, order
from promptgrimoire.authoring.app import App, check_app, pages_of
from promptgrimoire.authoring.catalogue import CatalogueError
from promptgrimoire.authoring.checks import Report, check_page, page_spec
from promptgrimoire.authoring.field_checks import repeated_fields
from promptgrimoire.authoring.landing import landing_template
from promptgrimoire.authoring.language import FOLDER, Languages
from promptgrimoire.authoring.later import later_calls, later_templates
from promptgrimoire.authoring.loading import ImportFailed, Place, digest_of, import_fresh, name_taken, source_files
from promptgrimoire.authoring.pages import Hook, Page, PageSpec, PlayerContext
from promptgrimoire.authoring.schedule import EveryHandler
from promptgrimoire.authoring.sequence import Step, compiled, pages_in
from promptgrimoire.authoring.source import Source, annotated_only
from promptgrimoire.authoring.templates import PageTemplate, Templates
from promptgrimoire.authoring.vocabulary import ATTRIBUTES, OTREE_NAMES
from promptgrimoire.authoring.wait_checks import check_targets
from promptgrimoire.errors import ExperimentError

_FACES = (
    "promptgrimoire",
    "promptgrimoire.uproot",
    *(f"promptgrimoire.uproot.{name}" for name in ("smithereens", "fields", "types", "models", "chat")),
)
_UNKNOWN_NAME = re.compile(r"name '(\w+)' is not defined")


@dataclass(frozen=True, slots=True, eq=False)
class Experiment:
    """One loaded version of an app. Nothing in it changes; a reload makes a new one."""

    name: str  # also the app's name
    title: str
    description: str
    multiple: int  # SUGGESTED_MULTIPLE: the number of players is best a multiple of it
    landing: PageTemplate | None  # what the session link shows, where LANDING_PAGE = True
    path: Path  # the file or folder that was loaded
    folder: Path  # where its templates are
    project: Path  # the folder around it
    module: ModuleType
    order: tuple[Step, ...] | None  # page_order, compiled; None where it is a function, see steps_for
    pages: Mapping[str, PageSpec]  # by key, "app/Name"
    hooks: Mapping[str, Hook]  # new_session, new_player, restart, language, on_join, on_connect, on_disconnect
    constants: Any  # the class C, or None
    export: Mapping[str, Any]  # what of it goes to JavaScript
    context_class: type[PlayerContext] | None
    declared: Mapping[str, type]  # "player", "group", "session": subclasses of PlayerFields, ...
    every: tuple[EveryHandler, ...]
    digest: str
    warnings: tuple[str, ...]
    static_folder: Path | None
    templates: Templates
    languages: Languages
    page_order: Hook | None

    @property
    def player_class(self) -> type | None:
        return self.declared.get("player")

    def spec_of(self, page: type[Page]) -> PageSpec:
        """The page's spec in this version. Raises KeyError for a page that this experiment does not show."""
        return self.pages[f"{self.name}/{page.__name__}"]

    def steps_for(self, player: Any) -> list[Step]:
        """The compiled page_order of this player (see sequence.compiled), whom a function of page_order is asked for.

        Raises ExperimentError where that gives something else.
        """
        if self.order is not None:
            return list(self.order)
        assert self.page_order is not None
        where = self.page_order.where
        items = self.page_order(player)
        if not isinstance(items, list | tuple):
            raise ExperimentError([f"{where}: page_order: expected a list of pages, returned {items!r}"])
        known = {spec.name: spec.page for spec in self.pages.values()}
        problems = [f"{where}: page_order: {mistake.text}" for mistake in order.mistakes(items, known)]
        if not problems:
            problems = [
                f"{where}: page_order: {page.__name__} is not a page of this app; define or import it at the top of "
                "the file"
                for page in dict.fromkeys(pages_in(items))
                if known.get(page.__name__) is not page
            ]
        if problems:
            raise ExperimentError(problems)
        found = compiled(items, self._key_of)
        if not found:
            raise ExperimentError([f"{where}: page_order returned no page; it needs at least one"])
        return found

    def _key_of(self, page: type[Page]) -> str:
        return f"{self.name}/{page.__name__}"

    def source_files(self) -> list[Path]:
        """The files to watch for a reload."""
        return source_files(place_of(self.path))


def load(path: Path | str) -> Experiment:
    """The experiment in a file `x.py` or a folder with `__init__.py`, imported afresh and checked.

    Raises ExperimentError with every problem that was found, each as "file:line: what, and the mend".
    """
    place = place_of(Path(path))
    sources = _sources(place)
    report = Report(place, sources)
    try:
        module = import_fresh(place)
    except ImportFailed as failed:
        _check_sources(report, sources)
        report.error(f"{place.shown(failed.file)}:{failed.line}", _why_not_imported(failed, sources))
        raise ExperimentError(report.problems) from failed.problem
    _check_sources(report, sources)
    app = check_app(module, sources[place.name], report)
    templates = Templates(place.folder, place.project, place.name)
    languages = _languages(place, report)
    shown = list(pages_of(module)) if app.pages is None else list(dict.fromkeys(app.pages))
    specs = {page: page_spec(page, place.name, templates, report) for page in shown}
    if app.has_landing:
        app = replace(app, landing=landing_template(templates, sources[place.name], report))
    for page in pages_of(module):
        if page not in specs:
            check_page(page, report)
            if page.__module__.partition(".")[0] == place.name:
                file, line = report.where(page)
                report.warn(f"{file}:{line}", f"page {page.__name__} is not in page_order: nobody will see it")
    for where, text in repeated_fields(specs.values()):
        report.warn(where, text)
    check_targets(specs.values(), report)
    if report.problems:
        raise ExperimentError(report.problems)
    return _experiment(place, module, app, specs, templates, languages, report)


def _experiment(
    place: Place,
    module: ModuleType,
    app: App,
    specs: dict[type[Page], PageSpec],
    templates: Templates,
    languages: Languages,
    report: Report,
) -> Experiment:
    static = [place.folder / name for name in ("static", "_static")]
    return Experiment(
        name=place.name,
        title=place.name.replace("_", " ").strip().capitalize(),
        description=app.description,
        multiple=app.multiple,
        landing=app.landing,
        path=place.path,
        folder=place.folder,
        project=place.project,
        module=module,
        order=None if app.items is None else tuple(compiled(app.items, lambda page: specs[page].key)),
        pages=MappingProxyType({spec.key: spec for spec in specs.values()}),
        hooks=MappingProxyType(app.hooks),
        constants=app.constants,
        export=MappingProxyType(app.export),
        context_class=app.context_class,
        declared=MappingProxyType(app.declared),
        every=app.every,
        digest=digest_of(place, module),
        warnings=tuple(report.warnings),
        static_folder=next((folder for folder in static if folder.is_dir()), None),
        templates=templates,
        languages=languages,
        page_order=app.order,
    )


def _languages(place: Place, report: Report) -> Languages:
    """The catalogues of the app and of its project; the app's count more."""
    folders = dict.fromkeys(folder / FOLDER for folder in (place.project, place.folder))
    try:
        languages = Languages(list(folders))
    except CatalogueError as problem:
        report.error(f"{place.shown(problem.path)}:{problem.line}", problem.text)
        return Languages()
    for found in languages.problems:
        report.error(f"{place.shown(found.path)}:{found.line}", found.text)
    return languages


def place_of(path: Path) -> Place:
    """Where an experiment is. Raises ExperimentError where there is none, or none of a usable name."""
    path = path.resolve()
    if path.name == "__init__.py":
        path = path.parent
    is_package = path.is_dir()
    name = path.name if is_package else path.stem
    if is_package and not (path / "__init__.py").is_file():
        raise ExperimentError(
            [f"{path.name}: expected a folder with an __init__.py, found none; add {name}/__init__.py"]
        )
    if not is_package and (path.suffix != ".py" or not path.is_file()):
        found = "something else" if path.exists() else "nothing"
        raise ExperimentError([f"{path}: expected an app's folder or a .py file, found {found}"])
    file = path / "__init__.py" if is_package else path
    if not name.isidentifier():
        mend = re.sub(r"\W|^(?=\d)", "_", name)
        raise ExperimentError([f"{path.name}:1: {name!r} cannot be the name of an app; rename it to {mend}"])
    namesake = path.parent / f"{name}.py" if is_package else path.parent / name / "__init__.py"
    if namesake.is_file():
        raise ExperimentError([f"{path.name}:1: {name}.py and the folder {name} have one name; rename one of them"])
    if name_taken(name, file):
        raise ExperimentError(
            [f"{path.name}:1: {name!r} is the name of a Python module; rename it, for example my_{name}"]
        )
    return Place(path, name, file, path if is_package else path.parent, path.parent, is_package)


def _sources(place: Place) -> dict[str, Source]:
    """The app's Python files by module name. Raises ExperimentError for those that are not Python."""
    files = [path for path in source_files(place) if path.suffix == ".py"]
    sources, problems = {}, []
    for file in files:
        parts = file.relative_to(place.folder).with_suffix("").parts if place.is_package else ()
        name = ".".join((place.name, *(part for part in parts if part != "__init__")))
        try:
            sources[name] = Source(file, place.shown(file))
        except SyntaxError as problem:
            problems.append(f"{place.shown(file)}:{problem.lineno or 1}: {_syntax_error(problem)}")
        except ValueError as problem:
            problems.append(f"{place.shown(file)}:1: {problem}; save the file as UTF-8 text")
    if problems:
        raise ExperimentError(problems)
    return sources


def _check_sources(report: Report, sources: dict[str, Source]) -> None:
    """What the source alone tells."""
    faces = {name: module for name in _FACES if (module := sys.modules.get(name)) is not None}
    stars = {
        name: {one: getattr(module, one, None) for one in getattr(module, "__all__", ())}
        for name, module in faces.items()
    }
    for source in list(sources.values()):
        for line, text in source.problems(stars):
            report.error(f"{source.shown}:{line}", text)
        for node in source.classes():
            for line, text in annotated_only(node, ATTRIBUTES):
                report.error(f"{source.shown}:{line}", text)
        for line, text in (
            *advice.mutated_originals(source.tree),
            *advice.untranslatable(source.tree),
            *advice.unreturned(source.tree),
        ):
            report.error(f"{source.shown}:{line}", text)
        for line, text in (*advice.warnings(source.tree), *later_calls(source)):
            report.warn(f"{source.shown}:{line}", text)
    for name, text in later_templates(report.place.folder):
        report.warn(f"{report.place.shown(report.place.folder / name)}:1", text)


def _why_not_imported(failed: ImportFailed, sources: dict[str, Source]) -> str:
    problem = failed.problem
    if isinstance(problem, SyntaxError):
        return _syntax_error(problem)
    text = f"{type(problem).__name__}: {problem}"
    unknown = _UNKNOWN_NAME.search(str(problem)) if isinstance(problem, NameError) else None
    if unknown and unknown[1] in OTREE_NAMES:
        return f"{text}; that is oTree's name; here it is: {OTREE_NAMES[unknown[1]]}"
    if unknown:
        known = [name for source in sources.values() for name, _, _ in source.names()]
        for face in _FACES:
            known += getattr(sys.modules.get(face), "__all__", ())
        near = difflib.get_close_matches(unknown[1], known, 1)
        return text + (f"; did you mean '{near[0]}'?" if near else "; define it above, or import it")
    if isinstance(problem, ModuleNotFoundError) and (problem.name or "").partition(".")[0] in ("otree", "uproot"):
        face = f"promptgrimoire.{problem.name}" if (problem.name or "").startswith("uproot") else "promptgrimoire"
        return f"{text}; write from {face} import *"
    if isinstance(problem, ModuleNotFoundError):
        return f"{text}; install it, or correct the name"
    if isinstance(problem, SystemExit):
        return f"{text}; an experiment cannot call exit()"
    return text


def _syntax_error(problem: SyntaxError) -> str:
    line = (problem.text or "").strip()
    return f"{type(problem).__name__}: {problem.msg}" + (f"; in: {line}" if line else "")
