"""A dictator game in which everybody decides, and chance says afterwards whose decision counts."""

from promptgrimoire import *

DESCRIPTION = "A dictator game: everybody decides first, then pairs are formed and chance says whose decision counts."
SUGGESTED_MULTIPLE = 2


class C:
    AMOUNT = 10  # dollars


class Give(Page):
    title = "Your decision"
    fields = dict(
        # Without an anchor the slider has no thumb until somebody sets one: nobody is pushed to any amount.
        given=DecimalRangeField(
            label="How much do you give to the other person?",
            min=0,
            max=C.AMOUNT,
            step=cu("0.50"),
            label_min="$0",
            label_max=f"${C.AMOUNT}",
            anchoring=False,
        )
    )


class Pair(GroupCreatingWait):
    group_size = 2
    roles = ("dictator", "recipient")

    def after_grouping(page, group):
        dictator = group.players.find_one(role="dictator")
        recipient = group.players.find_one(role="recipient")
        dictator.payoff = C.AMOUNT - dictator.given
        recipient.payoff = dictator.given


class Results(Page):
    pass


page_order = [Give, Pair, Results]
