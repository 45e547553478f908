"""In development, an edit of an experiment takes effect at once.

Owns the watching of its folder; what is loaded, and what a version that does not load leads to, is `runtime.versions`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from promptgrimoire.runtime.versions import Experiments

logger = logging.getLogger("promptgrimoire")

_DEBOUNCE = 150  # milliseconds: an editor saves in several steps
_STEP = 30
_AT_LEAST = 1000  # so often it looks around; the first time is the sign that it watches


class _Sources(DefaultFilter):
    """What an experiment is made of; not what the server itself writes beside it."""

    def __call__(self, change: Change, path: str) -> bool:
        return ".sqlite3" not in Path(path).name and super().__call__(change, path)


async def watch(experiments: Experiments, since: float) -> None:
    """Load the newest version of every app whose files change, until cancelled.

    `since` (seconds since 1970): what changed between then and the moment when watching begins is loaded too.
    """
    caught_up = False
    async for changes in awatch(
        experiments.folder,
        watch_filter=_Sources(),
        debounce=_DEBOUNCE,
        step=_STEP,
        rust_timeout=_AT_LEAST,
        yield_on_timeout=True,
    ):
        touched = [Path(path) for _, path in changes]
        if not caught_up:
            caught_up = True
            touched += _changed_since(experiments, since)
        _refresh(experiments, touched)


def _refresh(experiments: Experiments, touched: list[Path]) -> None:
    files = experiments.project_files()
    # grimoire.py may use any module beside the apps.
    if any(path in files or (path.suffix == ".py" and not _in_an_app(path, experiments)) for path in touched):
        for name in experiments.refresh_project():
            logger.info("%s: the new version runs", name)
    touched = [path for path in touched if path not in files]
    places = experiments.paths() if touched else {}
    # What lies beside the apps (shared templates and modules) may be used by any of them.
    shared = any(not any(path.is_relative_to(place) for place in places.values()) for path in touched)
    for name, place in places.items():
        if not shared and not any(path.is_relative_to(place) for path in touched):
            continue
        failed = name in experiments.errors
        if experiments.refresh(name):
            logger.info("%s: the new version runs", name)
        elif failed and name not in experiments.errors:
            logger.info("%s loads again", name)


def _in_an_app(path: Path, experiments: Experiments) -> bool:
    return any(path.is_relative_to(place) for place in experiments.paths().values())


def _changed_since(experiments: Experiments, since: float) -> list[Path]:
    apps = (file for place in experiments.paths().values() for file in (place, *place.rglob("*")))
    files = (*experiments.project_files(), *apps)
    sources = _Sources()
    return [file for file in files if sources(Change.modified, str(file)) and _modified(file) >= since]


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # deleted in between, by an editor that saves by renaming
        return 0.0
