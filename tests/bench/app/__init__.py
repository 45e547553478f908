"""The experiment that is measured: a field set, a message to everybody, a list that grows."""

# ruff: noqa: F403, F405

from typing import Any

from promptgrimoire import *

DESCRIPTION = "What `make bench` measures."


class Bench(Page):
    """# Bench

    {{ player.name }}, {{ session.players|length }} players
    """

    @live
    async def put(page: Any, player: Any, value: int) -> dict[str, int]:
        player.value = value
        return {"value": value}

    @live
    async def tell(page: Any, player: Any, text: str) -> None:
        notify(player, players(player.session), text, event="Told")

    @live
    async def append(page: Any, player: Any, item: str) -> int:
        player.session.items.append(item)
        return len(player.session.items)


def new_session(session: Any) -> None:
    session.items = []


page_order = [Bench]
