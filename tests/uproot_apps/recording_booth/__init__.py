"""A recording, and small change: files, hashes, settings, identifiers."""

from collections import namedtuple

from promptgrimoire.uproot import *

Price = namedtuple("Price", ["tape", "cents"])


class Record(Page):
    fields = dict(title=StringField(label="Title"), take=FileField(label="A take", optional=True))

    @classmethod
    async def after_once(page, player):
        player.audio = await player.take.read() if player.take else b"\x89PNG\r\n\x1a\n"
        player.hash = sha256(player.audio)
        player.token = str(uuid())
        prices = combine([Price("short", 5), Price("long", 9)])
        player.cents = prices.long if len(player.audio) > 100 else prices.short
        append_to_csv(get_setting("log", default="takes.csv"), dict(name=player.name, title=player.title))


class Listen(Page):
    @classmethod
    def templatevars(page, player):
        rows = read_csv(get_setting(player, "log", "takes.csv"))
        return dict(uri=data_uri(player.audio), rows=[row["title"] for row in rows if row["name"] == player.name])


page_order = [Record, Listen]
