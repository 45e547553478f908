"""The form that is measured: five fields on a page that comes again and again."""

# ruff: noqa: F403, F405, RUF012

from promptgrimoire import *

DESCRIPTION = "What `make bench` measures of forms."
ROUNDS = 50_000  # more than anybody gets through


class Questions(Page):
    """# Some questions"""

    fields = dict(
        years=IntegerField(label="How old are you?", min=18, max=120),
        town=StringField(label="Where do you live?"),
        often=RadioField(label="How often do you go there?", choices=["daily", "weekly", "never"]),
        agree=LikertField(label="I like it there", label_min="not at all", label_max="very much"),
        why=TextAreaField(label="Why?", optional=True),
    )


page_order = [Rounds(Questions, n=ROUNDS, carry=True)]
