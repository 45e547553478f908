"""Time pressure as a treatment: what counts when the time is over, and what is missing then."""

from promptgrimoire import *

DESCRIPTION = "Decisions under time pressure or with time to think; what is missing when the time is over."


class C:
    ENDOWMENT = 10
    SECONDS = {"pressure": 10, "time": 60}


class Welcome(Page):
    def after_once(page, player):
        player.treatment = balanced(player, ["pressure", "time"])


class Decision(Page):
    fields = dict(
        # Without an anchor it has no value until the participant sets one.
        given=DecimalRangeField(
            label="How much do you give?", min=0, max=C.ENDOWMENT, label_min="$0", label_max="$10", anchoring=False
        ),
        sure=RadioField(label="Are you sure about this?", layout="horizontal"),
    )

    def timeout(page, player):
        return get_setting(f"seconds_{player.treatment}", C.SECONDS[player.treatment])

    def timeout_reached(page, player):
        # What was answered in time is there; what was not is None, never a default that nobody chose.
        if player.given is None:
            player.given = cu(player.rng.randint(0, C.ENDOWMENT))
            player.by_lot = True

    def after_once(page, player, timed_out):
        player.in_time = not timed_out
        player.payoff = C.ENDOWMENT - player.given


class Thoughts(Page):
    title = "Your thoughts"
    timeout = 300  # nobody has to hurry; but who has left does not hold up the study for ever
    fields = dict(thoughts=TextAreaField(label="What went through your mind?", optional=True))


class Result(Page):
    pass


def new_player(player):
    player.by_lot = False


page_order = [Welcome, Decision, Thoughts, Result]
