"""Pages in a row: with a form, back and forth."""

from __future__ import annotations

from typing import Any

from promptgrimoire import IntegerField, Page, StringField


class Name(Page):
    """# Name

    {{ fields() }}
    """

    fields = dict(nickname=StringField(label="Nickname"))  # noqa: RUF012
    keep_values = True

    def validate(page: Any, player: Any, data: Any) -> Any:
        if data["nickname"] == "admin":
            return {"nickname": "This name is taken."}
        return None


class Age(Page):
    """# Age

    {{ fields() }}
    """

    fields = dict(age=IntegerField(label="Age", min=18))  # noqa: RUF012
    allow_back = True
    keep_values = True


class Slow(Page):
    """# Slow

    {{ player.nickname }}, {{ player.age }}
    """

    allow_back = True


page_order = [Name, Age, Slow]
