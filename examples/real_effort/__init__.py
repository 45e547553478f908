"""A real-effort task: as many sums as possible in a minute, for ten cents each."""

from promptgrimoire import *

DESCRIPTION = "A real-effort task: as many sums as possible within a minute, for a piece rate."


class C:
    SECONDS = 60
    NUMBERS = 5
    PIECE_RATE = cu("0.10")


class Instructions(Page):
    title = "Sums"

    def templatevars(page, player):
        return dict(seconds=seconds())


class Work(Page):
    title = "Sums"

    # The server ends the page, also where the browser has lost its connection or does not want to.
    def timeout(page, player):
        return seconds()

    def before_once(page, player):
        player.task = new_task(player)

    def jsvars(page, player):
        return dict(task=player.task, correct=player.correct)

    @live
    async def answer(page, player, total: int):
        correct = total == sum(player.task)
        player.answers.append({"task": list(player.task), "total": total, "correct": correct})
        player.correct += correct
        player.task = new_task(player)
        return {"task": player.task, "correct": player.correct}

    def after_once(page, player):
        player.payoff += player.correct * C.PIECE_RATE


class Result(Page):
    pass


def new_player(player):
    player.correct = 0
    player.answers = []


def new_task(player):
    return [player.rng.randint(10, 99) for _ in range(C.NUMBERS)]


def seconds():
    # A pilot is quicker with `settings = { seconds = 10 }` in grimoire.toml.
    return get_setting("seconds", C.SECONDS)


page_order = [Instructions, Work, Result]
