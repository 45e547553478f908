"""Wait pages as participants meet them."""

from typing import Any

from promptgrimoire import GroupCreatingWait, Page, SynchronizingWait


class Welcome(Page):
    """# Welcome"""


class Meet(GroupCreatingWait):
    group_size = 3
    patience = 600
    if_missing = "proceed"


class Play(Page):
    """# Play"""


class Together(SynchronizingWait):
    title = "Nearly there"

    def all_here(page: Any, group: Any) -> None:
        group.total = group.get("total", 0) + 1


class Results(Page):
    """# Results

    {{ group.total }}"""


page_order = [Welcome, Meet, Play, Together, Results]
