"""Between and within subjects: a frame, an anchor, and two goods in random order."""

from promptgrimoire import *

DESCRIPTION = "Treatments between subjects, balanced, and tasks within subjects, in random order."


class C:
    ANCHORS = [5, 50]  # dollars


class Start(Page):
    title = "Before we begin"
    fields = dict(
        gender=RadioField(label="What is your gender?", choices=[("f", "Female"), ("m", "Male"), ("d", "Another")])
    )

    def after_once(page, player):
        # The same as often among women as among men. Who has left before this line counts for nothing.
        player.anchor = balanced(player, C.ANCHORS, within="gender")


class Choice(Page):
    title = "Two programmes"
    fields = dict(programme=RadioField(label="Which programme do you choose?", choices=["A", "B"]))


class Mug(Page):
    template = "Valuation.html"
    good = "coffee mug"
    fields = dict(
        mug_above_anchor=RadioField(label="Would you pay that much for it?", layout="horizontal"),
        mug_value=DecimalField(label="What is the most that you would pay?", min=0, places=2, addon_start="$"),
    )


class Chocolate(Page):
    template = "Valuation.html"
    good = "box of chocolates"
    fields = dict(
        chocolate_above_anchor=RadioField(label="Would you pay that much for it?", layout="horizontal"),
        chocolate_value=DecimalField(label="What is the most that you would pay?", min=0, places=2, addon_start="$"),
    )


class Debriefing(Page):
    pass


page_order = [
    Start,
    # The same page under two names: `player.frame` says which. Drawn when the player gets there.
    Between(gain=Choice, loss=Choice, store="frame"),
    RandomOrder(Mug, Chocolate),
    Debriefing,
]
