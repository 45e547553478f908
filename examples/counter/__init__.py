"""The smallest live experiment: one number that belongs to everybody."""

from promptgrimoire import *

DESCRIPTION = "Everybody presses the same button, and everybody sees the count."


class C:
    STEPS = (1, 5, 10)


class Counter(Page):
    title = "Count together"

    # What the type hint forbids never reaches the method; the browser's promise is rejected instead.
    @live
    async def increment(page, player, by: Annotated[int, Meta(ge=1, le=10)] = 1):
        player.session.count += by
        player.added += by
        notify(player, others_in_session(player), {"count": player.session.count, "by": by}, event="Counted")
        return {"count": player.session.count, "added": player.added}


def new_session(session):
    session.count = 0


def new_player(player):
    player.added = 0


page_order = [Counter]
