"""Tea is sold by one to the other: offers and sales are typed entries of models."""

from typing import Optional

import promptgrimoire.uproot.models as um
from promptgrimoire.uproot.fields import *
from promptgrimoire.uproot.smithereens import *

DESCRIPTION = "Tea market"
SUGGESTED_MULTIPLE = 2
LANDING_PAGE = False
APP_NAME = __name__


class C:
    CASH = 20
    SECRET = "not for browsers"
    __export__ = ["CASH"]


class Offer(metaclass=um.Entry):
    """An ask for a bag of tea; None takes it back."""

    pid: PlayerIdentifier
    price: Optional[float]


class Sale(metaclass=um.Entry):
    seller: PlayerIdentifier
    buyer: PlayerIdentifier
    price: float
    notes: list


def new_session(session: SessionType) -> None:
    session.offers = um.create_model(session, tag="offers")
    session.sales = um.create_model(session, tag="sales")


def new_player(player: PlayerType) -> None:
    player.cash = C.CASH


def book(session: SessionType) -> list[dict[str, Any]]:
    latest = {}
    for entry_id, _, offer in um.get_entries(session.offers, Offer):
        latest[offer.pid] = (entry_id, offer.price)
    return [
        dict(id=str(id), price=price, seller=materialize(pid).name)
        for pid, (id, price) in latest.items()
        if price is not None
    ]


def digest(session: SessionType) -> list[Any]:
    return [sale.price for _, _, sale in um.get_entries(session.sales, Sale)]


class Trade(Page):
    """Everybody sees the book; whoever likes an ask takes it."""

    @classmethod
    async def jsvars(page, player):
        return dict(book=book(player.session))

    @classmethod
    def templatevars(page, player) -> dict[str, Any]:
        return dict(mine=um.filter_entries(player.session.offers, Offer, pid=player.pid))

    @live
    async def ask(page, player, price: Optional[float]):
        um.auto_add_entry(player.session.offers, player, Offer, price=price)
        notify(player, players(player.session), book(player.session), event="Book")
        return len(book(player.session))

    @live
    async def take(page, player, offer: str):
        ((_, _, ask),) = um.filter_entries(player.session.offers, Offer, id=offer)
        with materialize(ask.pid) as seller:
            seller.cash += ask.price
        player.cash -= ask.price
        um.add_entry(player.session.sales, Sale, seller=ask.pid, buyer=player.pid, price=ask.price, notes=["fresh"])
        um.add_entry(player.session.offers, Offer, pid=ask.pid, price=None)
        send_to_one(seller, dict(price=ask.price, buyer=player.pid), "Sold")
        notify(player, player.others_in_session, book(player.session), event="Book")
        return player.cash


class Results(Page):
    @classmethod
    def templatevars(page, player) -> dict[str, Any]:
        sold = um.filter_entries(player.session.sales, Sale, predicate=lambda sale: sale.seller == player.pid)
        return dict(sold=[sale for _, _, sale in sold])


page_order = [Trade, Results]
