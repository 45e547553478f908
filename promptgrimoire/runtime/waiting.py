"""Players on wait pages, and what releases them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player


class Waiting:
    """The wait pages of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def arrived(self, player: Player, spec: PageSpec, stay: int) -> None:
        """The player is at a wait page, which is committed. Called again for the same stay when the session loads."""
