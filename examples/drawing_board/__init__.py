"""A canvas that belongs to everybody."""

from promptgrimoire import *

DESCRIPTION = "Everybody draws on the same board, with a mouse, a pen or a finger."

# Points are given in parts of the board's width and height, so that they fit every screen.
Part = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[list[tuple[Part, Part]], Meta(min_length=2, max_length=200)]


class C:
    COLORS = {"black": "#1c2430", "red": "#c22f36", "blue": "#2457c5", "green": "#1a7040", "orange": "#d97706"}


class Draw(Page):
    title = "Drawing board"

    def jsvars(page, player):
        return {"strokes": player.session.strokes, "colors": C.COLORS}

    @live
    async def stroke(page, player, points: Points, color: Literal["black", "red", "blue", "green", "orange"]):
        stroke = {"points": points, "color": color}
        player.session.strokes.append({**stroke, "by": player})
        # Also to the one who drew: so that strokes lie in the same order on every screen.
        notify(player, players(player.session), stroke, event="NewStroke")

    @live
    async def clear(page, player):
        player.session.strokes.clear()
        notify(player, players(player.session), event="Cleared")


def new_session(session):
    session.strokes = []


page_order = [Draw]
