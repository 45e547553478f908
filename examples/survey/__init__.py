"""A questionnaire with every kind of field."""

from promptgrimoire import *

DESCRIPTION = "A questionnaire with every kind of field, from consent to bank details that are stored nowhere."


class C:
    COUNTRIES = {"at": "Austria", "ch": "Switzerland", "de": "Germany", "fr": "France", "xx": "Elsewhere"}
    NEWS = ["Newspapers", "Radio", "Television", "Social media", "Podcasts", "Friends"]


class Consent(Page):
    """# Welcome

    We would like to know how people spend their days. It takes about **three minutes**. You can stop at any time by
    closing this window.
    """

    fields = dict(consent=BooleanField(label="I am at least 18 years old, and I agree to take part.", required=True))


class AboutYou(Page):
    title = "About you"
    allow_back = True
    keep_values = True  # what stands in the form when Back is pressed is there again afterwards
    fields = dict(
        nickname=StringField(label="What shall we call you?", max_length=30),
        age=IntegerField(label="How old are you?", min=18, max=120, addon_end="years"),
        gender=RadioField(
            label="What is your gender?",
            choices=[("f", "Female"), ("m", "Male"), ("d", "Another"), ("-", "I would rather not say")],
        ),
        country=SelectField(label="Where do you live?", choices=C.COUNTRIES),
        here_since=DateField(label="Since when?", min="1900-01-01", optional=True),
        email=EmailField(label="Where may we send the results?", optional=True, render_kw={"autocomplete": "email"}),
    )


class YourDay(Page):
    allow_back = True
    keep_values = True
    fields = dict(
        sleep=FloatField(label="Sleep", min=0, max=24, step=0.5, addon_end="hours"),
        work=FloatField(label="Work", min=0, max=24, step=0.5, addon_end="hours"),
        leisure=FloatField(label="Everything else", min=0, max=24, step=0.5, addon_end="hours"),
        rent=DecimalField(label="What is your rent per month?", min=0, places=2, addon_start="€", optional=True),
        busy=LikertField(label="How busy are you?", label_min="Not at all", label_max="Extremely"),
        # Without an anchor the slider has no thumb until somebody sets one, and no value that nobody chose.
        happy=DecimalRangeField(
            label="How happy are you?", min=0, max=10, label_min="Unhappy", label_max="Happy", anchoring=False
        ),
        luck=FloatRangeField(
            label="How much of it is luck?", min=0, max=1, step=0.01, label_min="None", label_max="All", anchoring=False
        ),
        news=BoundedChoiceField(label="Where do you get your news?", choices=C.NEWS, min=1, max=3, layout="horizontal"),
        better=TextAreaField(label="What would make your days better?", max_length=1000, optional=True),
    )

    def validate(page, player, data):
        hours = data["sleep"] + data["work"] + data["leisure"]
        if hours != 24:
            return {"leisure": f"A day has 24 hours; these are {to(hours, 1)}."}


class Payment(Page):
    stealth_fields = ["iban", "bic"]  # never stored: not with the answers, and not in the journal
    fields = dict(
        ticket=FileField(label="A photo of your ticket", accept=("image/*", ".pdf"), max_size=5_000_000, optional=True),
        donate=RadioField(label="Shall we give your two euros to the Red Cross?", layout="horizontal"),
        iban=IBANField(label="IBAN of your account", optional=True),
        bic=BICField(label="BIC of your bank", optional=True),
    )

    def validate(page, player, data):
        if not data["donate"] and not data["iban"]:
            return {"iban": "We need your IBAN to pay you."}

    def handle_stealth_fields(page, player, data):
        # Here they would go to whoever pays. All that the data says later is how the account ends.
        player.account_ends_with = data["iban"][-4:] if data["iban"] else ""


class Thanks(Page):
    pass


page_order = [Consent, AboutYou, YourDay, Payment, Thanks]
