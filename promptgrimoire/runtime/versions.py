"""Code versions of experiments: which apps there are, which version runs, what went wrong with a newer one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from promptgrimoire.authoring.experiment import Experiment, load
from promptgrimoire.authoring.study import Study, study_of
from promptgrimoire.errors import ExperimentError, NotFound

log = logging.getLogger("promptgrimoire.experiments")


class Experiments:
    """The apps of one target: a file, an app folder, or a folder of apps.

    One that does not load stops no other; a newer version that does not load leaves the older one running.
    """

    def __init__(self, target: Path) -> None:
        self._target = target.resolve()
        self._loaded: dict[str, Experiment] = {}
        self._digests: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.on_change: Callable[[str], None] = lambda name: None

    @property
    def folder(self) -> Path:
        """What to watch for changes."""
        return self._target if self._target.is_dir() else self._target.parent

    def paths(self) -> dict[str, Path]:
        """Apps by name; looked up anew, so that a new folder is found."""
        target = self._target
        if target.is_file():
            return {target.stem: target}
        if (target / "__init__.py").is_file():
            return {target.name: target}
        found: dict[str, Path] = {}
        for path in sorted(target.iterdir()) if target.is_dir() else ():
            if path.name.startswith((".", "_")):
                continue
            if path.is_dir() and (path / "__init__.py").is_file():
                found[path.name] = path
            elif path.suffix == ".py" and "page_order" in path.read_text(errors="replace"):
                found[path.stem] = path
        return found

    def load_all(self) -> None:
        """Load every app; what does not load is in `errors`. Raises NotFound where the target holds no app."""
        paths = self.paths()
        if not paths:
            raise NotFound(
                f"{self._target}: expected an experiment (a .py file, a folder with __init__.py, or a folder of "
                "such), found none"
            )
        for name in paths:
            self.refresh(name)

    def refresh(self, name: str) -> bool:
        """Load the newest version of an app; True where another version runs from now on."""
        path = self.paths().get(name)
        if path is None:
            return False
        try:
            fresh = load(path)
        except ExperimentError as error:
            self.errors[name] = str(error)
            log.error(
                "%s does not load%s:\n%s",
                name,
                "; the version before goes on running" if name in self._loaded else "",
                error,
            )
            return False
        self.errors.pop(name, None)
        for warning in fresh.warnings:
            log.warning("%s", warning)
        old = self._loaded.get(name)
        self._loaded[name] = fresh
        if old is None or old.digest != fresh.digest:
            self.on_change(name)
            return old is not None
        return False

    def names(self) -> list[str]:
        """Apps that run, in alphabetical order."""
        return sorted(self._loaded)

    def study(self, name: str) -> Study:
        """The newest version of a config that runs; an app by itself is one. Raises NotFound."""
        return study_of(self.get(name))

    def get(self, name: str) -> Experiment:
        """The version of an app that runs now. Raises NotFound."""
        try:
            return self._loaded[name]
        except KeyError:
            why = self.errors.get(name)
            raise NotFound(f"no experiment '{name}'" + (f" that loads: {why}" if why else "")) from None
