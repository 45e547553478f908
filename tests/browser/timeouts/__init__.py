"""Time limits: one that passes soon, one that is announced, one that the author's script would not have end."""

from __future__ import annotations

from typing import Any

from promptgrimoire import IntegerField, Page, StringField


class Task(Page):
    """# Task

    Answer as much as you can.

    {{ fields() }}
    """

    timeout = 8
    fields = dict(
        age=IntegerField(label="Age"),
        mood=StringField(label="Mood", default="fine"),
        food=StringField(label="Food", default="rice"),
    )

    def after_once(page: Any, player: Any, timed_out: bool) -> None:
        player.timed_out = timed_out


class Answers(Page):
    """# Answers

    {{ player.age }}, {{ player.mood }}, {{ player.food }}, {{ player.timed_out }}

    Seconds: {{ player.page_times[0].seconds }}; offset: {{ player.page_times[0].offset }}.
    """


class Long(Page):
    """# Long

    There is time, but not for ever.
    """

    timeout = 25


class Refusing(Page):
    """# Refusing

    {{ fields() }}

    <script>
    document.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("grimoire:timeout", () => { document.title = "over"; });
    </script>
    """

    timeout = 8
    fields = dict(word=StringField(label="Word"))


class Last(Page):
    """# Last

    {{ player.word }}
    """


page_order = [Task, Answers, Long, Refusing, Last]
