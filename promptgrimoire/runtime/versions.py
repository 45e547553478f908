"""Code versions: which apps and configs there are, which version of each runs, what went wrong with a newer one."""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from promptgrimoire.authoring.experiment import Experiment, load
from promptgrimoire.authoring.project import COMPUTED, SECRETS, Config, Project, read_project
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.authoring.study import Study, compose
from promptgrimoire.errors import ExperimentError, NotFound
from promptgrimoire.settings import FILE

log = logging.getLogger("promptgrimoire.experiments")


def project_folder(target: Path) -> Path:
    """The folder around the apps of a target: the target itself, or the one that an app's folder or file is in."""
    place = target.resolve()
    return place if place.is_dir() and not (place / "__init__.py").is_file() else place.parent


class Experiments:
    """The configs of one target: a project folder, or (each app being a config by itself) a file, an app folder, or a
    folder of apps.

    What does not load stops nothing else; a newer version that does not load leaves the older one running.
    `environment` is where secrets are looked for first.
    """

    def __init__(self, target: Path, environment: Mapping[str, str] | None = None) -> None:
        self._target = target.resolve()
        self._project_folder = project_folder(target)
        self.project = Project(self._project_folder)
        self.secrets = Secrets(environment)
        self._apps: dict[str, Experiment] = {}
        self._studies: dict[str, Study] = {}
        self._project_error = ""
        self._app_errors: dict[str, str] = {}
        self._config_errors: dict[str, str] = {}
        self.on_change: Callable[[str], None] = lambda config: None

    # ---------------------------------------------------------------- what there is

    @property
    def folder(self) -> Path:
        """What to watch for changes."""
        if any(file.is_file() for file in self.project_files()):
            return self._project_folder
        return self._target if self._target.is_dir() else self._target.parent

    def project_files(self) -> list[Path]:
        """Those that say which configs there are; not all of them need exist."""
        return [self._project_folder / name for name in (FILE, COMPUTED, SECRETS)]

    def paths(self) -> dict[str, Path]:
        """Apps by name; looked up anew, so that a new folder is found."""
        target = self._target
        if target.is_file():
            return {target.stem: target}
        if (target / "__init__.py").is_file():
            return {target.name: target}
        named = {app for config in self.project.configs.values() for app in config.apps}
        found: dict[str, Path] = {}
        for path in sorted(target.iterdir()) if target.is_dir() else ():
            if path.name.startswith((".", "_")) or path.name == COMPUTED:
                continue
            if path.is_dir() and (path / "__init__.py").is_file():
                found[path.name] = path
            elif path.suffix == ".py" and (path.stem in named or "page_order" in path.read_text(errors="replace")):
                found[path.stem] = path
        return found

    def configs(self) -> Mapping[str, Config]:
        """Those of the project; where it names none, or only one app is served, each app by itself."""
        if self.project.configs and self._target == self._project_folder:
            return self.project.configs
        shared = dict(self.project.settings)
        return {name: Config(name=name, apps=(name,), settings=shared) for name in self.paths()}

    def origin(self, config: str) -> str:
        """A digest of where a config is: two of one name in different folders differ."""
        return hashlib.sha256(f"{self._project_folder}\n{config}".encode()).hexdigest()[:16]

    # ---------------------------------------------------------------- loading

    def load_all(self) -> None:
        """Load everything; what does not load is in `errors`.

        Raises ExperimentError for a mistake in the project's files, NotFound where the target holds no app.
        """
        self.project = read_project(self._project_folder, self.secrets)
        configs = self.configs()
        if not configs:
            raise NotFound(
                f"{self._target}: expected an experiment (a .py file, a folder with __init__.py, or a folder of "
                "such), found none"
            )
        self._load_missing()
        for name in configs:
            self._compose(name)

    def refresh(self, app: str) -> bool:
        """Load the newest version of an app; True where another version of a config runs from now on."""
        if not self._load(app):
            return False
        uses = [name for name, config in self.configs().items() if app in config.apps]
        return any([self._compose(name) for name in uses])

    def refresh_project(self) -> list[str]:
        """Read the project's files again; gives the names of configs of which another version runs from now on."""
        try:
            self.project = read_project(self._project_folder, self.secrets)
        except ExperimentError as error:
            self._project_error = str(error)
            log.error("the project is not read anew; it stays as it was:\n%s", error)
            return []
        self._project_error = ""
        self._load_missing()
        return [name for name in self.configs() if self._compose(name)]

    def _load_missing(self) -> None:
        """Load the apps that a config names and that are not loaded yet."""
        for app in dict.fromkeys(app for config in self.configs().values() for app in config.apps):
            if app not in self._apps and app not in self._app_errors:
                self._load(app)

    def _load(self, app: str) -> bool:
        """Whether it loads."""
        path = self.paths().get(app)
        if path is None:
            return False
        try:
            with self.secrets.within_reach(f"loading {app}"):
                fresh = load(path)
        except ExperimentError as error:
            self._app_errors[app] = str(error)
            running = "; the version before goes on running" if app in self._apps else ""
            log.error("%s does not load%s:\n%s", app, running, error)
            return False
        self._app_errors.pop(app, None)
        for warning in fresh.warnings:
            log.warning("%s", warning)
        self._apps[app] = fresh
        return True

    def _compose(self, name: str) -> bool:
        """Put a config together from its apps as they are now; True where it replaces another version."""
        config = self.configs()[name]
        try:
            study = self._study(config)
        except ExperimentError as error:
            if self._config_errors.get(name) != str(error) and name not in self._app_errors:
                log.error("%s cannot be run:\n%s", name, error)
            self._config_errors[name] = str(error)
            return False
        self._config_errors.pop(name, None)
        old, self._studies[name] = self._studies.get(name), study
        if old is not None and (old.digest, _apps_of(old)) == (study.digest, _apps_of(study)):
            return False
        self.on_change(name)
        return old is not None

    def _study(self, config: Config) -> Study:
        known = self.paths()
        problems = []
        for app in config.apps:
            if app not in known:
                near = difflib.get_close_matches(app, known, 1)
                mend = f"did you mean {near[0]!r}?" if near else f"add the folder {app} with an __init__.py"
                problems.append(f"{config.where}: there is no app {app!r} in {self._project_folder.name}; {mend}")
            elif app not in self._apps:
                problems.append(f"{config.where}: the app {app} does not load")
        if problems:
            raise ExperimentError(problems)
        try:
            return compose(
                config.name,
                [self._apps[app] for app in config.apps],
                title=config.title,
                description=config.description,
                settings={**self.project.settings, **config.settings},
                language=config.language or self.project.language,
            )
        except ExperimentError as error:
            raise ExperimentError([f"{config.where}: {problem}" for problem in error.problems]) from error

    # ---------------------------------------------------------------- what runs

    @property
    def errors(self) -> dict[str, str]:
        """What does not load, and why: apps, configs, the project's files."""
        found = {FILE: self._project_error} if self._project_error else {}
        needed = {app for config in self.configs().values() for app in config.apps}
        found |= {app: error for app, error in self._app_errors.items() if app in needed}
        for name, error in self._config_errors.items():
            if name in self.configs():
                found.setdefault(name, error)
        return found

    def names(self) -> list[str]:
        """Configs that run, in the order of grimoire.toml; apps in alphabetical order."""
        return [name for name in self.configs() if name in self._studies]

    def study(self, name: str) -> Study:
        """The newest version of a config that runs, also of one that is not offered any more. Raises NotFound."""
        found = self._studies.get(name)
        if found is None and name in self._apps:  # a session of an app that is now part of a config
            found = compose(name, [self._apps[name]], settings=self.project.settings, language=self.project.language)
        if found is None:
            why = self.errors.get(name)
            raise NotFound(f"no experiment '{name}'" + (f" that loads: {why}" if why else ""))
        return found

    def get(self, app: str) -> Experiment:
        """The version of an app that runs now. Raises NotFound."""
        try:
            return self._apps[app]
        except KeyError:
            why = self._app_errors.get(app)
            raise NotFound(f"no app '{app}'" + (f" that loads: {why}" if why else "")) from None


def _apps_of(study: Study) -> list[str]:
    return [app.name for app in study.apps]
