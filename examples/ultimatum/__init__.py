"""The ultimatum game: one proposes how to share ten dollars, the other one accepts, or both get nothing."""

from promptgrimoire import *

DESCRIPTION = "The ultimatum game: two roles, drawn by lot, that take turns."
SUGGESTED_MULTIPLE = 2


class C:
    AMOUNT = 10  # dollars


class Pair(GroupCreatingWait):
    group_size = 2
    roles = ("proposer", "responder")


class Role(Page):
    """# You are the {{ player.role }}

    Two people share **${{ C.AMOUNT }}**. The proposer offers a part of it. The responder accepts or rejects that offer.
    Whoever rejects it leaves both without anything.
    """


class Offer(Page):
    title = "Your offer"
    fields = dict(
        offer=IntegerField(label="How much do you offer to the responder?", min=0, max=C.AMOUNT, addon_start="$")
    )

    def show(page, player):
        return player.role == "proposer"

    def after_once(page, player):
        player.group.offer = player.offer


class WaitForOffer(SynchronizingWait):
    title = "The proposer makes an offer"


class Response(Page):
    title = "The offer"
    fields = dict(accept=RadioField(label="Do you accept?"))  # without choices: Yes and No

    def show(page, player):
        return player.role == "responder"

    def after_once(page, player):
        player.group.accepted = player.accept


class WaitForResponse(SynchronizingWait):
    title = "The responder decides"

    def all_here(page, group):
        if group.accepted:
            group.players.find_one(role="proposer").payoff = cu(C.AMOUNT - group.offer)
            group.players.find_one(role="responder").payoff = cu(group.offer)


class Results(Page):
    pass


page_order = [Pair, Role, Offer, WaitForOffer, Response, WaitForResponse, Results]
