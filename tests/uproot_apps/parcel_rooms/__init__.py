"""Two talk about parcels; a machine answers."""

from promptgrimoire.uproot import *


async def answer(room, player, text):
    if player is None:
        return
    chat.add_message(room, "Machine", f"You said {text}")
    player.heard = len(chat.messages(room))


class Pair(GroupCreatingWait):
    group_size = 2

    @classmethod
    def after_grouping(page, group):
        group.chat = chat.create(group.session)
        chat.on_message(group.chat, answer)
        for player in group.players:
            chat.add_player(group.chat, player, pseudonym=f"Courier {player.member_id + 1}")
        assert chat.exists(group.chat)
        assert list(chat.players(group.chat)) == list(group.players)


class Talk(Page):
    @live
    async def say(page, player, text: str):
        chat.add_message(player.group.chat, player, text)
        chat.notify(player.group.chat)

    @classmethod
    def may_proceed(page, player):
        return len(chat.messages(player.group.chat)) >= 2 or "Say something first."


class Log(Page):
    @classmethod
    def templatevars(page, player):
        return dict(lines=[message.text for _, _, message in chat.messages(player.group.chat)])


page_order = [Pair, Talk, Log]
