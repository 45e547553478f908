"""Imports an experiment afresh from its files, while the version that runs stays as it is.

Owns what happens to `sys.modules` and `sys.path`, and that source is what runs (never a cached `.pyc`: two edits within
one second look alike to it). Never checks what was imported.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

_LEFT_OUT = {".venv", "venv", "node_modules", "__pycache__", "site-packages", ".git"}
_COUNTED = {".py", ".html", ".md", ".js", ".css", ".po"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an experiment is: `path` (file or folder), its main `file`, the `folder` of its templates, its project."""

    path: Path
    name: str
    file: Path
    folder: Path
    project: Path
    is_package: bool

    def owns(self, module: str) -> bool:
        """Whether a module is the experiment's own: itself, or inside it."""
        return module == self.name or module.startswith(f"{self.name}.")

    def shown(self, file: str | Path) -> str:
        """A file's name as messages show it: from the project folder."""
        path = Path(file)
        return path.relative_to(self.project).as_posix() if path.is_relative_to(self.project) else str(path)


class ImportFailed(Exception):
    """An experiment's code raised while it was imported. `file` and `line` are the author's, innermost."""

    def __init__(self, file: str, line: int, problem: BaseException) -> None:
        super().__init__(str(problem))
        self.file, self.line, self.problem = file, line, problem


class _FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source each time, and remembers which source it was."""

    source_digest = b""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        self.source_digest = hashlib.sha256(source).digest()
        code: CodeType = self.source_to_code(source, path)
        return code

    def changed(self) -> bool:
        try:
            return hashlib.sha256(Path(self.path).read_bytes()).digest() != self.source_digest
        except OSError:
            return True


class _FreshFinder(importlib.abc.MetaPathFinder):
    """Finds the modules of one project folder."""

    def __init__(self, project: Path) -> None:
        self._project = project

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        for folder in [str(self._project)] if path is None else path:
            base = Path(folder) / fullname.rpartition(".")[2]
            if not base.is_relative_to(self._project) or _LEFT_OUT.intersection(base.parts):
                continue
            for file, package in ((base / "__init__.py", True), (base.with_suffix(".py"), False)):
                if file.is_file():
                    return importlib.util.spec_from_file_location(
                        fullname,
                        file,
                        loader=_FreshLoader(fullname, str(file)),
                        submodule_search_locations=[str(base)] if package else None,
                    )
        return None


def import_fresh(place: Place) -> ModuleType:
    """The experiment's module, from its source as it is now. Raises ImportFailed; then nothing has changed.

    Modules of the project that the experiment shares with others are imported anew only where one of them has changed.
    """
    project = str(place.project)
    sys.path[:] = [project, *(entry for entry in sys.path if entry != project)]
    importlib.invalidate_caches()
    before = _modules(place)
    shared = set(_project_modules(place.project)) & {name for name in before if not place.owns(name)}
    changed = any(_loader(before[name]).changed() for name in shared)
    stale = set(before) if changed else set(before) - shared
    for name in stale:
        del sys.modules[name]
    finder = _FreshFinder(place.project)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(place.name)
    except (Exception, SystemExit) as problem:  # the author's code: anything can happen in it
        for name in set(_modules(place)) - (set(before) - stale):
            del sys.modules[name]
        sys.modules.update({name: before[name] for name in stale})
        raise ImportFailed(*_innermost(problem, place), problem) from problem
    finally:
        sys.meta_path.remove(finder)


def name_taken(name: str, file: Path) -> bool:
    """Whether an experiment of that name, in that file, would hide a module of Python or of a package in use."""
    loaded = sys.modules.get(name)
    ours = isinstance(getattr(loaded, "__loader__", None), _FreshLoader) or getattr(loaded, "__file__", "") == str(file)
    return (loaded is not None and not ours) or name in sys.stdlib_module_names or name == "promptgrimoire"


def source_files(place: Place) -> list[Path]:
    """The files whose content makes up the experiment: code, templates, scripts, styles."""
    if not place.is_package:
        beside = [path for path in place.folder.glob("*") if path.suffix in (".html", ".md") and path.is_file()]
        return [place.file, *sorted([*beside, *place.folder.glob("locales/*.po")])]
    found = [path for path in place.folder.rglob("*") if path.suffix in _COUNTED and path.is_file()]
    found += place.project.glob("locales/*.po")
    return sorted(path for path in found if not _LEFT_OUT.intersection(path.relative_to(place.project).parts))


def digest_of(place: Place, module: ModuleType) -> str:
    """A short digest of the experiment's files and of the project's modules that it imports, directly or not."""
    files = {*source_files(place)}
    files |= {Path(_loader(one).path) for one in _imported(place)}
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.is_file():
            digest.update(place.shown(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _modules(place: Place) -> dict[str, ModuleType]:
    """What an import of the experiment may replace: its own modules, and what experiments have imported so far.

    Also of other projects, which may have modules of the same names.
    """
    return {
        name: module
        for name, module in list(sys.modules.items())
        if place.owns(name) or isinstance(getattr(module, "__loader__", None), _FreshLoader)
    }


def _project_modules(project: Path) -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if isinstance(getattr(module, "__loader__", None), _FreshLoader)
        and Path(_loader(module).path).is_relative_to(project)
    }


def _imported(place: Place) -> Iterator[ModuleType]:
    """The experiment's own modules, and those of the project that import statements lead to from there.

    Not what other experiments of the project have imported: an edit of that is none of this one.
    """
    known = _project_modules(place.project)
    waiting = [name for name in known if place.owns(name)]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        yield known[name]
        found = _names_imported(known[name]) & known.keys() - seen
        seen |= found
        waiting += found


def _names_imported(module: ModuleType) -> set[str]:
    """Names of modules that a module's source imports, with the packages around them."""
    package = module.__name__ if hasattr(module, "__path__") else module.__name__.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(Path(_loader(module).path).read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0]
                base = f"{above}.{base}".rstrip(".")
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    around = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    return names | around


def _loader(module: ModuleType) -> _FreshLoader:
    loader = module.__loader__
    assert isinstance(loader, _FreshLoader)
    return loader


def _innermost(problem: BaseException, place: Place) -> tuple[str, int]:
    """File and line, the author's own where there is one."""
    if isinstance(problem, SyntaxError) and problem.filename:
        return problem.filename, problem.lineno or 1
    file, line = str(place.file), 1
    for frame in traceback.extract_tb(problem.__traceback__):
        if Path(frame.filename).is_relative_to(place.project) and not _LEFT_OUT.intersection(
            Path(frame.filename).parts
        ):
            file, line = frame.filename, frame.lineno or 1
    return file, line
