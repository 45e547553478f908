"""A price that moves by itself, pushed to everybody."""

from promptgrimoire import *

DESCRIPTION = "A background task moves a price every second and pushes it to everybody."


class C:
    START = 100.0
    SHOWN = 60  # prices on the chart
    __export__ = ("SHOWN",)


# Runs while somebody is here; each run is one transaction, like a live method.
@every(1)
async def tick(session):
    price = round(session.prices[-1] * (1 + rng().gauss(0, 0.01)), 2)
    session.prices.append(price)
    del session.prices[: -C.SHOWN]
    # No participant is behind this message, so it is send_to, not notify.
    send_to(session, price, event="Price", where=Ticker)


class Ticker(Page):
    def jsvars(page, player):
        return {"prices": player.session.prices}


def new_session(session):
    session.prices = [C.START]


page_order = [Ticker]
