"""A page in any language: text of the framework and of the author, a number, a script that speaks; and a form."""

from typing import Any

from promptgrimoire import Page, PlayerContext, _

DESCRIPTION = "What tests/browser/test_languages.py plays."


class Speak(Page):
    title = _("Good day")

    def after_once(page: Any, player: Any) -> None:
        player.said = _("Good day")


class Last(Page):
    """# {{ player.said }}"""


class Context(PlayerContext):
    @property
    def points(self) -> int:
        return 3


def language(player: Any) -> Any:
    return player.params.get("lang")


page_order = [Speak, Last]
