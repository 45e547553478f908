"""What every measurement is given: how much to do, the bare server, a folder on the disk that is measured."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.bench.scale import Scale
from tests.bench.servers import APP, Bare, Product


class Workbench:
    """One benchmark's surroundings. Servers made here end with their `with` block."""

    def __init__(self, scale: Scale, bare: Bare, folder: Path) -> None:
        self.scale = scale
        self.bare = bare
        self.folder = folder
        self._databases = 0
        self._began = time.monotonic()

    def database(self) -> Path:
        """The path of a new database."""
        self._databases += 1
        return self.folder / f"bench{self._databases}.sqlite3"

    def product(self, players: int, app: Path = APP) -> Product:
        """The framework on a new database, with a session of so many players (with none, one that is open to join)."""
        return Product(self.database(), players, app)

    def say(self, what: str) -> None:
        """Progress, to stderr."""
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", file=sys.stderr, flush=True)


def discard(database: Path) -> None:
    """Remove a database whose server has ended."""
    for file in database.parent.glob(database.name + "*"):
        file.unlink()
