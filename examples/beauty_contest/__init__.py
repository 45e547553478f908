"""A guessing game for a whole session: whoever is closest to two thirds of the average guess wins."""

from statistics import mean

from promptgrimoire import *

DESCRIPTION = "Guess two thirds of the average: three rounds in which the whole session plays together."
SUGGESTED_MULTIPLE = 3


class C:
    ROUNDS = 3
    PRIZE = cu(30)  # dollars, shared by those who are closest


class Rules(Page):
    pass


class Guess(Page):
    fields = dict(guess=IntegerField(label="Your guess, from 0 to 100", min=0, max=100))


class Everybody(SynchronizingWait):
    synchronize = "session"  # all who have joined, however many
    patience = 120  # seconds; then the round goes on without whoever has not guessed
    if_missing = "proceed"

    def all_here(page, session):
        guessers = session.players.filter(_.guess >= 0)  # not who has not guessed in this round
        average = mean(guessers.each("guess"))
        target = average * 2 / 3
        least = min(abs(player.guess - target) for player in guessers)
        winners = [player for player in guessers if abs(player.guess - target) == least]
        for player in winners:
            player.payoff += C.PRIZE / len(winners)
        guesses = sorted(guessers.each("guess"))
        session.outcomes.append({"guesses": guesses, "average": average, "target": target, "winners": winners})


class Outcome(Page):
    def templatevars(page, player):
        return {"outcome": player.session.outcomes[player.round - 1]}


class Results(Page):
    """# You have won {{ player.payoff|fmtnum("$") }}

    Thank you for taking part. You can close this window.

    {% set buttons = False %}
    """


def new_session(session):
    session.outcomes = []


page_order = [Rules, Rounds(Guess, Everybody, Outcome, n=C.ROUNDS), Results]
