"""Every page that the framework can produce: a participant's first page is the one that the link's `page` names."""

# ruff: noqa: RUF012  pages as authors write them

import asyncio
from typing import Any

from promptgrimoire import (
    BooleanField,
    BoundedChoiceField,
    DateField,
    DecimalField,
    DecimalRangeField,
    EmailField,
    FileField,
    FloatField,
    FloatRangeField,
    GroupCreatingWait,
    IBANField,
    IntegerField,
    LikertField,
    NoshowPage,
    Page,
    RadioField,
    Reject,
    SelectField,
    StringField,
    SynchronizingWait,
    TextAreaField,
    finish,
    live,
    move_to_page,
)

SUGGESTED_MULTIPLE = 2
LANDING_PAGE = True

WORDS = [(-2, "Disagree strongly"), (-1, "Disagree"), (0, "Neutral"), (1, "Agree"), (2, "Agree strongly")]
ENDS: dict[str, Any] = {"label_min": "Disagree strongly", "label_max": "Agree strongly"}


class Way(NoshowPage):
    def before_always_once(page: Any, player: Any) -> None:
        if player.params["page"] == "ScreenedOut":
            finish(player, "screened_out")
        else:
            move_to_page(player, player.params["page"])


class Text(Page):
    """# What authors write

    A paragraph with **bold** words, a [link](https://example.org/) and `code`.

    ## A second heading

    - one
    - two

    > Somebody said this.

    | Name | Points |
    |---|---|
    | Ann | 3 |
    | Bo | 4 |

    <p class="alert alert-warning">Mind this.</p>
    <p><button class="btn btn-secondary" onclick="void grimoire.invoke('refuse')">Ask</button>
    <button class="btn btn-outline-danger" disabled>Nothing to do</button>
    <span class="badge bg-success">new</span></p>
    """

    @live
    def refuse(page: Any, player: Any) -> None:
        raise Reject("The market is closed")


class Short(Page):
    fields = dict(
        nickname=StringField(label="What shall we call you?"),
        years=IntegerField(label="How long have you lived here?", min=0, max=99, addon_end="years"),
    )
    allow_back = True


class Fields(Page):
    fields = dict(
        age=IntegerField(label="How old are you?", min=18, max=99, addon_end="years"),
        born=DateField(label="When were you born?", optional=True),
        email=EmailField(label="Your email address", description="Only to tell you about your payment."),
        amount=DecimalField(label="How much do you give?", addon_start="€", places=2, min=0, max=10, default=1.5),
        warmth=FloatField(label="How warm is it?", addon_start="about", addon_end="°C"),
        major=StringField(label="What do you study?", label_floating="Your major"),
        story=TextAreaField(label="Tell us about your day", optional=True),
        country=SelectField(label="Where do you live?", choices={"us": "United States", "de": "Germany"}),
        team=RadioField(label="Which team do you like?", choices=["Red", "Blue", "Green"], layout="horizontal"),
        leader=RadioField(label="Would you lead the group?"),
        topics=BoundedChoiceField(label="Which topics interest you?", choices=["Law", "Art", "Music"], min=1, max=2),
        iban=IBANField(label="Your IBAN", optional=True),
        photo=FileField(label="A photo", accept=("image/*",), max_size=100_000, optional=True),
        consent=BooleanField(label="I agree.", required=True, description="You can withdraw at any time."),
    )


class Scales(Page):
    fields = dict(
        risk=DecimalRangeField(label="Do you take risks?", min=0, max=10, label_min="Never", label_max="Always"),
        price=DecimalRangeField(label="What would you pay?", min=0, max=20, step=0.5, anchoring=False),
        share=FloatRangeField(label="Which share?", min=0, max=1, hide_popover=True),
        happy=LikertField(label="How happy are you?", label_min="Very unhappy", label_max="Very happy", min=0, max=10),
        agree=LikertField(label="Ice cream is better than cake.", choices=WORDS),
        quiet=LikertField(label="I see myself as somebody who is reserved.", max=5, **ENDS),
        trusting=LikertField(label="I see myself as somebody who is generally trusting.", max=5, **ENDS),
        trains=LikertField(label="I like trains.", choices=WORDS),
        boats=LikertField(label="I like boats.", choices=WORDS),
    )


class Limited(Page):
    """# A task

    {{ fields() }}
    """

    timeout = 3600
    fields = dict(answer=StringField(label="Your answer"))


class Grouping(GroupCreatingWait):
    group_size = 90
    patience = 600
    if_missing = "proceed"


class Synchronizing(SynchronizingWait):
    synchronize = "session"
    patience = 600
    if_missing = "proceed"


class Endless(SynchronizingWait):
    title = "Nearly there"
    synchronize = "session"


class Failing(Page):
    """# Never shown"""

    def before_once(page: Any, player: Any) -> None:
        raise ValueError("the hook fails")


class Slow(Page):
    """# Not shown for an hour"""

    async def before_once(page: Any, player: Any) -> None:
        await asyncio.sleep(3600)


class Soon(Page):
    """# Here at last"""

    async def before_once(page: Any, player: Any) -> None:
        await asyncio.sleep(3)


class Finished(NoshowPage):
    pass


class Never(Page):
    """# Where those who wait are expected"""


def new_player(player: Any) -> None:
    if player.params.get("page") == "Broken":
        raise ValueError("no such player")


def language(player: Any) -> Any:
    return player.params.get("lang", "en")


page_order = [
    *(Way, Text, Short, Fields, Scales, Limited, Grouping, Synchronizing, Endless, Failing, Slow, Soon, Never, Finished)
]
