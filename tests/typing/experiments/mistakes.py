"""Mistakes that a type checker finds where fields are declared: each line with a comment is an error."""

# pyright: reportSelfClsParameterName=false, reportWildcardImportFromLibrary=false
from promptgrimoire import *


class Player(PlayerFields):
    score: int = 0


class Session(SessionFields):
    count: int = 0


def new_player(player: Player) -> None:
    player.scoer = 3  # mistake: a misspelt field
    player.score = "x"  # mistake: another type
    player.session = None  # mistake: a built-in
    player.round = 2  # mistake: a built-in
    player.name.missing()  # mistake: a text has no such method
    print(player.nothing)  # mistake: not declared


def new_session(session: Session) -> None:
    session.count += "1"  # mistake: another type
    session.groups.pot  # mistake: of a collection, not of a group


class Counter(Page):
    @live(rate="often")  # mistake: a number
    async def increment(page, player: Player, by: int = 1) -> int:
        return player.score + "x"  # mistake: another type


@every  # mistake: needs seconds
def tick(session: Session) -> None:
    pass
