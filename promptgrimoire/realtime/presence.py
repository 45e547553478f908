"""Who is here: connection counts and grace. Pure: time is passed in, deadlines are given back.

Derived from live connections. A late close of an old socket can only touch itself; closing one of two tabs changes
nothing.
"""

from __future__ import annotations


class Presence:
    """Players of one session.

    Online (a connection, or a page just delivered), away (none, within the grace), offline.
    """

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.online: set[int] = set()  # online or away
        self._connections: dict[int, set[object]] = {}
        self._away: dict[int, tuple[float, str]] = {}  # player -> (when the grace ends, why)

    def opened(self, player: int, connection: object) -> bool:
        """A connection opened; True where the player was offline."""
        self._connections.setdefault(player, set()).add(connection)
        self._away.pop(player, None)
        if player in self.online:
            return False
        self.online.add(player)
        return True

    def closed(self, player: int, connection: object, now: float, reason: str) -> None:
        """A connection closed. Closing one twice, or one that never opened, does nothing."""
        open_ones = self._connections.get(player)
        if not open_ones or connection not in open_ones:
            return
        open_ones.discard(connection)
        if not open_ones:
            del self._connections[player]
            self._away[player] = (now + self.grace, reason)

    def delivered(self, player: int, now: float) -> None:
        """A page was delivered: its browser has the grace to connect."""
        if player in self._away:
            self._away[player] = (now + self.grace, self._away[player][1])

    def restored(self, player: int, now: float) -> None:
        """The journal says that this player was online when the server stopped: they have the grace to come back."""
        self.online.add(player)
        self._away[player] = (now + self.grace, "the server was restarted")

    def due(self) -> float | None:
        """When the next grace ends."""
        return min((when for when, _ in self._away.values()), default=None)

    def expire(self, now: float) -> list[tuple[int, str]]:
        """Players whose grace has ended, with the reason of their last close; they are offline now."""
        gone = [(player, reason) for player, (when, reason) in self._away.items() if when <= now]
        for player, _ in gone:
            del self._away[player]
            self.online.discard(player)
        return gone

    def connections(self, player: int) -> int:
        return len(self._connections.get(player, ()))
