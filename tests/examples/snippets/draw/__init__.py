from promptgrimoire import *


class Draw(Page):
    @live
    async def stroke(page, player, points: list, color: str):
        player.session.strokes.append({"points": points, "color": color})

        # Send to others (not the sender)
        notify(player, others_in_session(player), {"points": points, "color": color}, event="NewStroke")


# What the snippet presupposes.
def new_session(session):
    session.strokes = []


page_order = [Draw]
