"""Those who raise their hand meet, in a group of the moment; groups are made by hand."""

from promptgrimoire.uproot import *


class Context(PlayerContext):
    @property
    def present(self):
        return self.player.session.players.filter(_.present == True)  # noqa: E712


class Raise(Page):
    fields = dict(present=BooleanField(label="I come along"))


class Everybody(SynchronizingWait):
    synchronize = "session"

    @classmethod
    def all_here(page, session):
        session.counted = len([player for player in session.players if player.get("present", False)])


class Meet(SynchronizingWait):
    synchronize = "session"

    @classmethod
    def wait_for(page, player):
        return [identify(other) for other in player.context.present]

    @classmethod
    async def show(page, player):
        if not player.get("present", False):
            return False
        return not await page.may_proceed(player)

    @classmethod
    def all_here(page, session):
        session.meeting = create_group(session, session.players[0].context.present, gname="meeting", overwrite=True)


class Info(Page):
    @classmethod
    def templatevars(page, player):
        with Player(player.session.name, player.name) as p:
            same = p == player == materialize(player.pid)
        groups = player.session.groups(app=__name__)
        with Admin() as admin:
            known = player.session.name in admin.sessions
        return dict(
            same=same and known,
            names=[group.name for group in groups],
            members=[[identify(one) for one in group.players] for group in groups],
            me=identify(player),
        )


page_order = [Raise, Everybody, Meet, Info]
