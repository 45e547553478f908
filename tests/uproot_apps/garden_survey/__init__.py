"""Questions about gardens, with the parameters of fields that uproot's apps use."""

import wtforms
import wtforms.validators as v

from promptgrimoire.uproot.fields import *
from promptgrimoire.uproot.smithereens import *


class About(Page):
    def fields(page, player) -> dict[str, Field]:
        return dict(
            beds=IntegerField(label="How many beds?", min=0, max=50, addon_end="beds", class_addon_end="bg-light"),
            budget=DecimalField(label="What may it cost?", min=0, places=2, addon_start="€", label_floating="Amount"),
            sun=FloatRangeField(label="How sunny?", min=0, max=1, step=0.1, hide_popover=True, anchoring=False),
            plot=StringField(label=safe("Your <b>plot</b>"), render_kw={"class": "w-50"}, class_wrapper="mb-5"),
            since=wtforms.IntegerField("Since when?", validators=[v.InputRequired(), v.NumberRange(1900, 2100)]),
            tools=BoundedChoiceField(label="Two tools", choices=["Spade", "Rake", "Hoe"], min=2, max=2),
        )

    @classmethod
    def validate(page, player, data):
        player.tries = player.get("tries", 0) + 1
        if data["beds"] > 10 and data["budget"] < 10:
            return dict(budget="So many beds cost more.")


class Taste(Page):
    fields = dict(
        roses=LikertField(label="I like roses", label_min="not at all", label_max="very much", max=5, breakpoint=576),
        weeds=LikertField(label="I like weeds", label_min="not at all", label_max="very much", max=5),
        code=StringField(label="The code of your shed"),
    )
    stealth_fields = ["code"]
    keep_values = True
    allow_back = True

    @classmethod
    async def handle_stealth_fields(page, player, data):
        player.codes_tried = player.get("codes_tried", 0) + 1
        if data["code"] != "sesame":
            return "That is not the code."


class Thanks(Page):
    pass


page_order = [About, Taste, Thanks]
