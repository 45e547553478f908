"""Pages laid out with everyday class names: tabs, folds, dialogs, cards, buttons of their own."""

from promptgrimoire.uproot.smithereens import *

LANDING_PAGE = True


class C:
    LANTERNS = {"red": 3, "blue": 5}
    __export__ = ("LANTERNS",)


def label_of(colour):
    return f"{colour.title()} lantern"


class Choose(Page):
    allow_back = True

    @live
    def light(page, player, colour: str):
        player.colour = colour
        return C.LANTERNS[colour]


class Hang(Page):
    allow_back = True


class Done(Page):
    pass


page_order = [Choose, Hang, Done]
