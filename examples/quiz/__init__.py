"""Instructions with a calculator, and comprehension questions that have to be answered correctly."""

from promptgrimoire import *

DESCRIPTION = "Instructions to try out, and comprehension questions with hints, attempts and feedback."


class C:
    ENDOWMENT = 20
    MEMBERS = 4
    FACTOR = 2
    ATTEMPTS = 3


class Instructions(Page):
    @live
    def calculate(page, player, own: Annotated[int, Meta(ge=0, le=20)], others: Annotated[int, Meta(ge=0, le=60)]):
        player.has_calculated = True
        return earnings(own, others)

    def may_proceed(page, player):
        return True if player.has_calculated else "Please try the calculator before you go on."


class Questions(Page):
    allow_back = True  # to read the instructions again
    fields = dict(
        others=RadioField(
            label="How many others are in your group?",
            choices=[1, 3, 4],
            correct=3,
            hint="A group has four members. You are one of them.",
        ),
        keeps=RadioField(
            label="You keep a token. Who earns it?",
            choices=[("me", "I do"), ("all", "Everybody in the group"), ("nobody", "Nobody")],
            correct="me",
            hint="Tokens that you keep are yours alone.",
        ),
        result=IntegerField(label="You put in 10 tokens, the others 30 in all. How many do you earn?"),
    )

    def validate(page, player, data):
        if data["result"] == earnings(10, 30):
            return
        # Kept, although the answer is refused: only an exception undoes.
        player.result_attempts += 1
        if player.result_attempts == C.ATTEMPTS:
            move_to_page(player, Sorry)
        return {"result": "You keep 10. The 40 tokens in the pot are doubled, and each of you gets a quarter of them."}


class Passed(Page):
    def before_once(page, player):
        # RadioFields with correct= count by themselves, also the attempt that was right.
        player.at_once = player.others_attempts == player.keeps_attempts == 1 and not player.result_attempts
        player.payoff = cu("1.00") if player.at_once else cu("0.50")

    def after_once(page, player):
        move_to_end(player)


class Sorry(Page):
    def templatevars(page, player):
        return dict(answer=earnings(10, 30))


def new_player(player):
    player.has_calculated = False
    player.result_attempts = 0


def earnings(own, others):
    """Of a public good, in tokens."""
    return C.ENDOWMENT - own + C.FACTOR * (own + others) // C.MEMBERS


page_order = [Instructions, Questions, Passed, Sorry]
