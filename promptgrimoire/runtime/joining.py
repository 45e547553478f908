"""How somebody becomes a player: once for each visitor or label, and before anything else `new_player`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from promptgrimoire.commands import PlayerCreated
from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError
from promptgrimoire.ids import new_token
from promptgrimoire.runtime.hooks import call_hooks
from promptgrimoire.state.records import Player
from promptgrimoire.state.values import encode

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageRequest
    from promptgrimoire.runtime.host import Host

_CONSONANTS, _VOWELS = "bdfghklmnprstvz", "aeiou"


class Joining:
    """The way into one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.creating: set[int] = set()  # their new_player has not finished: they enter no page yet

    async def join(
        self,
        visitor: str = "",
        label: str = "",
        params: Mapping[str, str] | None = None,
        request: PageRequest | None = None,
    ) -> str:
        """A player's token; the same for the same visitor or label. Durable when it returns."""
        host, state = self._host, self._host.state
        found = state.labels.get(label) if label else state.visitors.get(visitor) if visitor else None
        if found is None:
            if len(state.everybody) >= host.limits.players:
                raise AuthorError(f"a session takes at most {host.limits.players} players")
            found = await self._create(visitor, label, dict(params or {}), request)
        await host.durable()
        token = host.flow.private(found)._fields["token"]
        assert isinstance(token, str)
        return token

    async def _create(self, visitor: str, label: str, params: dict[str, str], request: PageRequest | None) -> int:
        host, state = self._host, self._host.state
        id = len(state.everybody) + 1

        async def creating() -> Player:
            name = self._new_name()
            token = new_token(host.state.id)
            player = state.create_player(name=name, token=token, visitor=visitor, label=label, params=params)
            private = host.flow.private(player.id)
            state.writing().assign(private, "moving", 0)
            host.flow.route.begin(player, private)
            state.fill(player)
            activity = current.get()
            assert activity is not None
            activity.record = player  # from here on the code runs for them: `_()` and `rng()` are theirs
            await call_hooks(host, "new_player", player)
            return player

        self.creating.add(id)
        try:
            await host.perform(PlayerCreated(id), state.session, "new_player", creating(), encode(params))
        finally:
            self.creating.discard(id)
        host.flow.go_on(state.player(id), request)
        return id

    def _new_name(self) -> str:
        rng = self._host.state.session.rng
        for length in (5, 5, 5, 7, 9, 11):
            letters = (rng.choice(_VOWELS if place % 2 else _CONSONANTS) for place in range(length))
            name = "".join(letters)
            if name not in self._host.state.names:
                return name
        return f"player{len(self._host.state.everybody) + 1}"
