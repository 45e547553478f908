"""A public goods game: three players decide how much of their endowment goes into a common project."""

from promptgrimoire import *

DESCRIPTION = "A public goods game in groups of three, with a question about the rules before it."
SUGGESTED_MULTIPLE = 3


class C:
    PLAYERS = 3
    ENDOWMENT = 20
    MULTIPLIER = cu("1.5")  # exact, as amounts of money should be


class Instructions(Page):
    fields = dict(
        understood=RadioField(
            label="What if all three put all of their points into the project?",
            choices=[(20, "Everybody has 20 points"), (30, "Everybody has 30 points"), (60, "Everybody has 60 points")],
            correct=30,
            hint="The project holds 60 points then. They become 90, which are shared by three.",
        )
    )


class Meet(GroupCreatingWait):
    group_size = C.PLAYERS


class Contribute(Page):
    title = "Your contribution"
    fields = dict(
        contribution=IntegerField(
            label="How many points do you put into the project?", min=0, max=C.ENDOWMENT, addon_end="points"
        )
    )


class Everybody(SynchronizingWait):
    def all_here(page, group):
        group.total = sum(group.players.each("contribution"))
        group.share = group.total * C.MULTIPLIER / C.PLAYERS
        for player in group.players:
            player.payoff = C.ENDOWMENT - player.contribution + group.share


class Results(Page):
    pass


page_order = [Instructions, Meet, Contribute, Everybody, Results]
