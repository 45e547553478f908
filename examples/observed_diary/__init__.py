"""Two people: one writes, the other reads along, letter by letter."""

from promptgrimoire import *

DESCRIPTION = "One participant writes a diary entry while another watches every key stroke."


class Diary(Page):
    @live
    async def typed(page, player, text: Annotated[str, Meta(max_length=5000)]):
        if player.role != "writer":
            raise Reject("Only the writer can write.")
        # Stored in the group, so that a reload shows it. The journal keeps each version: `await group.history("text")`.
        player.group.text = text
        notify(player, others_in_group(player), text)

    def after_once(page, player):
        if player.role == "writer":
            player.group.finished = True
            notify(player, others_in_group(player), event="Finished")


class Entry(Page):
    title = "The entry"


def new_player(player):
    # Whoever comes first opens a pair and writes; the next one joins it and reads.
    waiting = [group for group in player.session.groups if len(group.players) == 1]
    if waiting:
        add_to_group(waiting[0], player)
        player.role = "observer"
        send_to(others_in_group(player), event="ObserverCame")
    else:
        group = create_group(player.session, [player])
        group.text = ""
        group.finished = False
        player.role = "writer"


page_order = [Diary, Entry]
