"""The Stroop task: which colour is a word written in, whatever it says? With times, measured in the browser."""

from promptgrimoire import *

DESCRIPTION = "The Stroop task: 24 trials on one page, with reaction times that are measured in the browser."


class C:
    # By the key to press; what is stored of a trial are these letters.
    COLORS = {"r": "red", "g": "green", "b": "blue", "p": "purple"}
    INKS = {"r": "#c22f36", "g": "#1a7040", "b": "#2457c5", "p": "#7a3fb0"}
    __export__ = ["COLORS", "INKS"]


class Instructions(Page):
    pass


class Trials(Page):
    title = "Which colour is it?"

    def jsvars(page, player):
        # A reload, or a server that crashed, goes on with the trial that has not been answered.
        return dict(trials=player.trials, done=len(player.answers))

    @live
    async def answer(page, player, trial: int, key: Literal["r", "g", "b", "p"], ms: Annotated[float, Meta(ge=0)]):
        if trial == len(player.answers):  # else it has been answered in another tab
            player.answers.append({**player.trials[trial], "key": key, "ms": round(ms, 1)})

    def may_proceed(page, player):
        return len(player.answers) == len(player.trials)


class Result(Page):
    def templatevars(page, player):
        return dict(same=mean_time(player, True), other=mean_time(player, False), errors=errors(player))


def new_player(player):
    # Each colour three times with its own word, and once with each of the others.
    pairs = [(word, ink) for word in C.COLORS for ink in C.COLORS]
    trials = [{"word": word, "ink": ink} for word, ink in pairs for _ in range(3 if word == ink else 1)]
    player.rng.shuffle(trials)
    player.trials = trials
    player.answers = []


def mean_time(player, congruent):
    """Milliseconds of the correct answers, in trials whose word is the name of its colour or not; None without any."""
    times = [
        one["ms"] for one in player.answers if one["key"] == one["ink"] and (one["word"] == one["ink"]) == congruent
    ]
    return sum(times) / len(times) if times else None


def errors(player):
    return sum(one["key"] != one["ink"] for one in player.answers)


page_order = [Instructions, Trials, Result]
