"""Wait pages as participants meet them."""

import os
from pathlib import Path
from typing import Any

from promptgrimoire import GroupCreatingWait, Page, SynchronizingWait


class Welcome(Page):
    """# Welcome"""


class Meet(GroupCreatingWait):
    group_size = 3
    patience = 600
    if_missing = "proceed"

    def after_grouping(page: Any, group: Any) -> None:
        """While there is such a file, whoever comes last has the server killed."""
        crash = Path(os.environ.get("WAITS_CRASH", "/nowhere"))
        if crash.exists():
            crash.unlink()
            os._exit(9)
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
