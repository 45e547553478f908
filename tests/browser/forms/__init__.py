"""An app for the tests of forms in a browser: every field, scales alone and in tables, what is stored of them."""

import json
from typing import Any

import wtforms

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
    IBANField,
    IntegerField,
    LikertField,
    Page,
    PlayerType,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)

WORDS = [(-2, "Disagree strongly"), (-1, "Disagree"), (0, "Neutral"), (1, "Agree"), (2, "Agree strongly")]
ENDS: dict[str, Any] = {"label_min": "Disagree strongly", "label_max": "Agree strongly"}


class Person(Page):
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


class More(Page):
    """# A quiz

    Some **text** before the questions.
    """

    fields = dict(
        sum=RadioField(label="What is 2 + 2?", choices=[3, 4, 5], correct=4, hint="Count with your fingers."),
        cv=FileField(label="Your file", accept=(".pdf", "image/*"), max_size=100_000),
        plain=wtforms.StringField("A plain field", validators=[wtforms.validators.InputRequired()]),
        plain_radio=wtforms.RadioField("Another one", choices=[("1", "Yes"), ("0", "No")]),
        plain_list=wtforms.SelectField("And a list", choices=[("1", "One"), ("2", "Two")]),
        plain_box=wtforms.BooleanField("And a box"),
    )


class Done(Page):
    """# Done

    <p id="stored">{{ stored }}</p>
    """

    def templatevars(page, player: PlayerType) -> dict[str, str]:
        return {"stored": json.dumps({name: repr(value) for name, value in player.fields().items()})}


def language(player: PlayerType) -> str:
    code: str = player.params.get("lang", "en")
    return code


page_order = [Person, Scales, More, Done]
