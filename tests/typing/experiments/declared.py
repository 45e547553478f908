"""An experiment with declared fields, as an author types it. Both type checkers find nothing in it."""

# pyright: strict, reportSelfClsParameterName=false, reportWildcardImportFromLibrary=false
from datetime import datetime

from promptgrimoire import *


class Player(PlayerFields):
    cooperate: bool
    score: int = 0
    drafts: list[str] = []


class Group(GroupFields):
    pot: int = 0


class Session(SessionFields):
    count: int = 0


class Counter(Page):
    """# Count together"""

    def show(page, player: Player) -> bool:
        return player.score < 3 or player.online

    def templatevars(page, player: Player) -> dict[str, object]:
        return {"me": player.name.upper(), "left": 3 - player.score, "alone": not player.others_in_session}

    @live
    async def increment(page, player: Player, by: Annotated[int, Meta(ge=1)] = 1) -> int:
        player.score += by
        player.drafts.append(f"{by}")
        player.session.count += by
        notify(player, others_in_session(player), by, event="Counted")
        await durable()
        return player.score

    @live(rate=20)
    async def give(page, player: Player, partner: Player) -> None:
        partner.score += 1
        player.payoff += cu(1)
        if len(player.others_in_group) == 1:
            player.other_in_group.score += 1
        past = await player.at(datetime(2026, 1, 1))
        past.get("score", 0)


@every(5)
def tick(session: Session) -> None:
    session.count += 1
    for group in session.groups:
        group.pot += 1
    send_to(session.players, session.count, where=...)


def new_session(session: Session) -> None:
    session.count = session.settings.get("start", 0)


def new_player(player: Player) -> None:
    player.cooperate = player.rng.random() < 0.5
    player.label = player.params.get("who", "")
    after(30, later, player)


def later(player: Player) -> None:
    move_to_end(player)


def total(group: Group) -> int:
    return group.pot + len(group.players)


page_order = [Counter]
