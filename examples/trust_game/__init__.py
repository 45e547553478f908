"""The trust game: what the sender sends is tripled, and the receiver decides how much of it goes back."""

from promptgrimoire import *

DESCRIPTION = "The trust game: what the second mover may choose depends on what the first one did."
SUGGESTED_MULTIPLE = 2


class C:
    ENDOWMENT = 10
    FACTOR = 3


class Pair(GroupCreatingWait):
    group_size = 2
    roles = ("sender", "receiver")


class Send(Page):
    fields = dict(
        sent=IntegerField(label="How many points do you send?", min=0, max=C.ENDOWMENT, addon_end="points"),
        expected=IntegerField(
            label="How many points will come back, do you think?", min=0, max=C.ENDOWMENT * C.FACTOR, addon_end="points"
        ),
    )

    def show(page, player):
        return player.role == "sender"

    def validate(page, player, data):
        if data["expected"] > data["sent"] * C.FACTOR:
            return {"expected": f"The receiver will have only {data['sent'] * C.FACTOR} points."}


class WaitForSender(SynchronizingWait):
    title = "The sender decides"

    def all_here(page, group):
        group.sent = group.players.find_one(role="sender").get("sent") or 0  # should the sender have left
        group.received = group.sent * C.FACTOR


class SendBack(Page):
    title = "Your decision"

    # A function: how much may be sent back is known only now.
    def fields(page, player):
        most = player.group.received
        return {
            "sent_back": IntegerField(label="How many points do you send back?", min=0, max=most, addon_end="points")
        }

    def show(page, player):
        return player.role == "receiver" and player.group.received > 0


class WaitForReceiver(SynchronizingWait):
    title = "The receiver decides"

    def all_here(page, group):
        sender = group.players.find_one(role="sender")
        receiver = group.players.find_one(role="receiver")
        group.sent_back = receiver.get("sent_back") or 0  # who has received nothing has not been asked
        sender.payoff = C.ENDOWMENT - group.sent + group.sent_back
        receiver.payoff = group.received - group.sent_back


class Results(Page):
    pass


page_order = [Pair, Send, WaitForSender, SendBack, WaitForReceiver, Results]
