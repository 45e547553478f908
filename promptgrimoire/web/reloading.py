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


class _Sources(DefaultFilter):
    """What an experiment is made of; not what the server itself writes beside it."""

    def __call__(self, change: Change, path: str) -> bool:
        return ".sqlite3" not in Path(path).name and super().__call__(change, path)


async def watch(experiments: Experiments) -> None:
    """Load the newest version of every app whose files change, until cancelled."""
    async for changes in awatch(experiments.folder, watch_filter=_Sources(), debounce=_DEBOUNCE, step=_STEP):
        touched = [Path(path) for _, path in changes]
        for name, place in experiments.paths().items():
            # What lies beside the apps (shared templates and modules) may be used by any of them.
            if any(path.is_relative_to(place) or not _inside_an_app(path, experiments) for path in touched):
                failed = name in experiments.errors
                if experiments.refresh(name):
                    logger.info("%s: the new version runs", name)
                elif failed and name not in experiments.errors:
                    logger.info("%s loads again", name)


def _inside_an_app(path: Path, experiments: Experiments) -> bool:
    return any(path.is_relative_to(place) for place in experiments.paths().values())
