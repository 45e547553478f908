from promptgrimoire import *


class Diary(Page):
    @live
    async def typed(page, player, text: str):
        observer = other_in_group(player)
        notify(player, observer, text)


# What the snippet presupposes: a group of two.
def new_player(player):
    if player.id % 2 == 0:
        create_group(player.session, [players(player.session)[-2], player])


page_order = [Diary]
