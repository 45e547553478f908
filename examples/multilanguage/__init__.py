"""One study in English, German and Arabic, which runs from right to left."""

from promptgrimoire import *

DESCRIPTION = "One study in three languages, chosen by the link or by the participant, one of them from right to left."


class C:
    TOKENS = 12
    VALUE = 1.25  # euros
    # In the language itself: whoever looks for theirs cannot read the others.
    LANGUAGES = {"en": "English", "de": "Deutsch", "ar": "العربية"}


class Welcome(Page):
    fields = dict(chosen=RadioField(label="Language · Sprache · اللغة", choices=C.LANGUAGES))

    def show(page, player):
        return player.chosen is None


class Gift(Page):
    # At the top level no participant is known yet: this text is translated when it is shown.
    title = _("Your decision")

    # A function, so that the amount is written as the participant's language does it.
    def fields(page, player):
        value = fmtnum(C.VALUE, currency="EUR")
        return dict(
            given=IntegerField(
                label=_("How many tokens do you give?"),
                description=_("Each is worth {value}.", value=value),
                min=0,
                max=C.TOKENS,
            )
        )


class Result(Page):
    title = _("Thank you")


def new_player(player):
    # Who comes with a link such as …/?lang=de has chosen already.
    wanted = player.params.get("lang")
    player.chosen = wanted if wanted in C.LANGUAGES else None


def language(player):
    return player.chosen  # None: the study's own


page_order = [Welcome, Gift, Result]
