"""Wait pages as participants meet them.

WAITS_CRASH names a file that says where whoever comes last has the server killed, once: "posted", when what they have
posted is not on disk yet; "arrived", when they have come to the wait page, and that is.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from promptgrimoire import GroupCreatingWait, Page, SynchronizingWait

_PATIENCE = 10  # seconds
_ARRIVED = """SELECT count(*) FROM entries WHERE instr(text, '"type":"waited"')"""


def crash(where: str) -> None:
    """End this process if it is to end here."""
    file = Path(os.environ.get("WAITS_CRASH", "/nowhere"))
    if not file.exists() or file.read_text() != where:
        return
    if where == "arrived":
        until = time.monotonic() + _PATIENCE
        with closing(sqlite3.connect(os.environ["WAITS_DATABASE"])) as database:
            while database.execute(_ARRIVED).fetchone()[0] < Meet.group_size:
                assert time.monotonic() < until, "the last arrival is not stored"
    file.unlink()
    os._exit(9)


class Welcome(Page):
    """# Welcome"""

    def after_once(page: Any, player: Any) -> None:
        if player.id == Meet.group_size:
            crash("posted")


class Meet(GroupCreatingWait):
    group_size = 3
    patience = 600
    if_missing = "proceed"

    def after_grouping(page: Any, group: Any) -> None:
        crash("arrived")
        group.formed = group.get("formed", 0) + 1


class Play(Page):
    """# Play"""


class Together(SynchronizingWait):
    title = "Nearly there"

    def all_here(page: Any, group: Any) -> None:
        group.total = group.get("total", 0) + 1


class Results(Page):
    """# Results

    {{ group.formed }} {{ group.total }}"""


page_order = [Welcome, Meet, Play, Together, Results]
