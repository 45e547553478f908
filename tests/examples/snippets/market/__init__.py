from promptgrimoire import *


class Market(Page):
    @live
    async def post_offer(page, player, price: float):
        player.my_offer = price

        # Broadcast updated market to everyone
        notify(player, players(player.session), list(player.session.offers), event="MarketUpdate")
        return {"posted": price}

    @live
    async def accept_offer(page, player, seller_id: str):
        seller = players(player.session).get(seller_id)
        price = seller.my_offer

        player.bought_at = price
        seller.sold_at = price
        seller.my_offer = None

        # Notify the seller directly
        notify(player, seller, price, event="OfferAccepted")

        # Update market for everyone
        notify(player, players(player.session), list(player.session.offers), event="MarketUpdate")
        return {"bought_at": price}


# What the snippet presupposes.
def new_session(session):
    session.offers = [3.5, 4]


page_order = [Market]
