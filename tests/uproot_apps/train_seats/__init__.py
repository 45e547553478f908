"""Orders of pages: random, between, nested rounds; moves from hooks; docstrings that are notes."""

from random import Random as Generator

from promptgrimoire.uproot import *


def new_player(player):
    player.rng = Generator(player.id)
    player.ticket = player.rng.randint(1, 1000)
    player.path = []


class Log(Page):
    """Not shown: base of the others."""

    @classmethod
    def before_once(page, player):
        player.path.append(page.__name__)


class Platform(Log):
    """Where it begins. This note is no page."""

    @classmethod
    def early(page, player, request):
        player.agent = request.headers.get("user-agent", "") if request else ""


class Window(Log):
    template = "train_seats/Seat.html"


class Aisle(Log):
    template = "train_seats/Seat.html"


class Snack(Log):
    template = "train_seats/Seat.html"


class Quiet(Log):
    template = "train_seats/Seat.html"


class Count(NoshowPage):
    @classmethod
    def before_always_once(page, player):
        player.stops = player.get("stops", 0) + 1

    @classmethod
    def after_always_once(page, player):
        player.add_round = player.stops < 2


class Stop(Log):
    template = "train_seats/Seat.html"

    @classmethod
    def show(page, player):
        return player.stops < 99


class Inspector(Log):
    template = "train_seats/Seat.html"

    @classmethod
    def before_once(page, player):
        player.path.append("Inspector")
        move_to_page(player, Terminus, reload_=False)


class Tunnel(Log):
    template = "train_seats/Seat.html"


class Terminus(Log):
    template = "train_seats/Seat.html"

    @classmethod
    def after_once(page, player):
        transition_to_end(player)


class Depot(Log):
    template = "train_seats/Seat.html"


page_order = [
    Platform,
    Random(Window, Bracket(Aisle, Snack)),
    Between(Quiet, Bracket(Snack, Quiet)),
    Repeat(Count, Stop),
    Inspector,
    Tunnel,
    Terminus,
    Depot,
]
