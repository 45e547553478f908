import asyncio

from promptgrimoire import *
from promptgrimoire import send_to


class Notices(Page):
    @live
    async def post_offer(page, player, price: float):
        player.my_offer = price

        # Broadcast to everyone (notification)
        notify(player, players(player.session), price, event="NewOffer")

        # Return to the caller only
        return {"posted": price}

    @live
    async def tell(page, player, data):
        other_player = other_in_group(player)
        group = player.group

        # Notify one player
        notify(player, other_player, data)

        # Notify all players in a group
        notify(player, players(group), data)

        # Notify all players in a session
        notify(player, players(player.session), data)

        # Notify everyone except the sender
        notify(player, others_in_group(player), data)

    @live
    async def market_data(page, player, market_data: list):
        notify(player, players(player.session), market_data, event="MarketUpdate")

    @live
    async def start(page, player, data):
        spawn(later(player.session, player, data))


async def later(session, player, data):
    await asyncio.sleep(0.01)
    send_to(player, data)
    send_to(players(session), data, event="StatusUpdate")


# What the snippets presuppose: a group of two.
def new_player(player):
    if player.id == 2:
        create_group(player.session, players(player.session))


page_order = [Notices]
