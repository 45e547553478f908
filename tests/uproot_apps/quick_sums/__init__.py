"""Sums against the clock, with live methods."""

from promptgrimoire.uproot import *


def language(player):
    return "de" if player.params.get("lang") == "de" else "en"


def new_player(player):
    player.solved = 0
    player.task = None


def restart(session):
    session.restarts = session.get("restarts", 0) + 1


def pipeline(session, data=None):
    return [dict(name=player.name, solved=player.solved) for player in session.players]


class Sums(Page):
    @classmethod
    def timeout(page, player):
        return 120 if player.id < 2 else 1

    @classmethod
    def timeout_reached(page, player):
        player.late = True

    @live
    def task(page, player):
        if player.task is None:
            player.task = [player.rng.randint(1, 9) for _ in range(3)]
        return list(player.task)

    @live
    def solve(page, player, answer: int):
        right = player.task is not None and answer == sum(player.task)
        if right:
            player.solved += 1
            player.task = None
        return right


class Score(Page):
    @classmethod
    def before_once(page, player):
        player.payoff = cu("0.25") * player.solved


page_order = [Sums, Score]
