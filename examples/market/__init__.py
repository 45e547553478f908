"""A continuous double auction: buyers bid, sellers ask, and whoever accepts an offer trades at its price."""

from promptgrimoire import *

DESCRIPTION = "A double auction with private values and costs; its order book survives reloads and serves latecomers."

Price = Annotated[int, Meta(ge=1, le=999)]


class C:
    # Of the first, second, … unit: values fall and costs rise, which makes demand and supply.
    VALUES = (120, 100, 80, 60)
    COSTS = (40, 60, 80, 100)


class Market(Page):
    def jsvars(page, player):
        session = player.session
        return {"me": player, "book": session.book, "prices": session.prices, "account": account(player)}

    @live
    async def post_offer(page, player, price: Price):
        check(player, price)
        best = best_offer(player)
        if best and (price >= best["price"] if player.role == "buyer" else price <= best["price"]):
            return trade(player, best)  # at the price of the offer that was there first
        remove_offers(player)
        # The number tells this offer from a later one of the same trader, at another price.
        player.session.offers += 1
        offer = {"number": player.session.offers, "role": player.role, "price": price, "trader": player}
        player.session.book.append(offer)
        tell_everybody(player)

    @live
    async def accept_offer(page, player, number: int):
        offer = next((offer for offer in player.session.book if offer["number"] == number), None)
        # No lock is needed: between two awaits nobody else's call runs, so one of two who accept at once is second.
        if offer is None:
            raise Reject("Somebody was faster: this offer is gone.")
        if offer["role"] == player.role:
            raise Reject(f"You are a {player.role} yourself: you can only accept offers of the other side.")
        check(player, offer["price"])
        return trade(player, offer)

    @live
    async def withdraw_offer(page, player):
        remove_offers(player)
        tell_everybody(player)

    def after_once(page, player):
        # Nobody shall trade with somebody who has left.
        remove_offers(player)
        tell_everybody(player)


class Results(Page):
    pass


def new_session(session):
    session.book = []
    session.prices = []  # of all trades, oldest first
    session.offers = 0


def new_player(player):
    # Buyers and sellers take turns, so that both sides are there however many come.
    player.role = "buyer" if player.id % 2 else "seller"
    shift = player.rng.randint(-9, 9)  # no two are quite alike
    player.units = [unit + shift for unit in (C.VALUES if player.role == "buyer" else C.COSTS)]
    player.trades = []


def account(player):
    """What this trader, and nobody else, may know."""
    left = player.units[len(player.trades) :]
    return {"unit": left[0] if left else None, "left": len(left), "profit": player.payoff}


def check(player, price):
    """Refuse what would be a loss. The texts are shown to the participant."""
    unit = account(player)["unit"]
    if unit is None:
        raise Reject("You have traded all your units.")
    if player.role == "buyer" and price > unit:
        raise Reject(f"The unit is worth {unit} to you: at {price} you would lose money.")
    if player.role == "seller" and price < unit:
        raise Reject(f"The unit costs you {unit}: at {price} you would lose money.")


def best_offer(player):
    """The offer of the other side that is best for this player, the oldest among equals; None without any."""
    others = [offer for offer in player.session.book if offer["role"] != player.role]
    best = min if player.role == "buyer" else max
    return best(others, key=lambda offer: offer["price"], default=None)


def remove_offers(player):
    player.session.book = [offer for offer in player.session.book if offer["trader"] != player]


def trade(player, offer):
    price, partner = offer["price"], offer["trader"]
    for trader in (player, partner):
        unit = account(trader)["unit"]
        trader.payoff += unit - price if trader.role == "buyer" else price - unit
        trader.trades.append({"price": price, "unit": unit})
        remove_offers(trader)
        notify(player, trader, account(trader), event="Account")
    player.session.prices.append(price)
    notify(player, players(player.session), price, event="Trade")
    # keep: shown even if the partner is reloading the page, or has no connection, right now.
    notify(player, partner, price, event="OfferAccepted", keep=True)
    tell_everybody(player)
    return {"traded_at": price}


def tell_everybody(player):
    notify(player, players(player.session), player.session.book, event="Book")


page_order = [Market, Results]
