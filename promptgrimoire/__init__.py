"""The author's face: everything an experiment imports with `from promptgrimoire import *`.

A framework for live, multi-participant experiments on the web.
"""

from decimal import Decimal as cu
from typing import TYPE_CHECKING, Annotated, Literal

from markupsafe import Markup as safe
from msgspec import Meta

from promptgrimoire.authoring.draws import balanced, random_round
from promptgrimoire.authoring.fields import (
    BICField,
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
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    Upload,
)
from promptgrimoire.authoring.files import append_to_csv, data_uri, read_csv
from promptgrimoire.authoring.filters import fmtdate, fmtnum, to
from promptgrimoire.authoring.live import live
from promptgrimoire.authoring.messages import (
    add_to_group,
    create_group,
    create_groups,
    finish,
    move_to_end,
    move_to_page,
    notify,
    other_in_group,
    other_in_session,
    others_in_group,
    others_in_session,
    players,
    redirect,
    reload,
    send_to,
    show_message,
)
from promptgrimoire.authoring.pages import GroupCreatingWait, NoshowPage, Page, PlayerContext, SynchronizingWait
from promptgrimoire.authoring.payment import payment
from promptgrimoire.authoring.schedule import every
from promptgrimoire.authoring.sequence import Between, Bracket, RandomOrder, Repeat, Rounds
from promptgrimoire.authoring.tasks import (
    after,
    durable,
    external,
    get_setting,
    in_thread,
    mark_dropout,
    rng,
    secret,
    spawn,
    watch_for_dropout,
)
from promptgrimoire.errors import Reject
from promptgrimoire.state.declared import GroupFields, PlayerFields, SessionFields
from promptgrimoire.state.players import Condition as _Condition
from promptgrimoire.state.players import Players
from promptgrimoire.state.records import Group, Player, Session

__version__ = "0.1.0"

_ = _Condition()
PlayerType = Player
GroupType = Group
SessionType = Session

__all__ = [
    "Annotated",
    "BICField",
    "Between",
    "BooleanField",
    "BoundedChoiceField",
    "Bracket",
    "DateField",
    "DecimalField",
    "DecimalRangeField",
    "EmailField",
    "FileField",
    "FloatField",
    "FloatRangeField",
    "GroupCreatingWait",
    "GroupFields",
    "GroupType",
    "IBANField",
    "IntegerField",
    "LikertField",
    "Literal",
    "Meta",
    "NoshowPage",
    "Page",
    "PlayerContext",
    "PlayerFields",
    "PlayerType",
    "Players",
    "RadioField",
    "RandomOrder",
    "Reject",
    "Repeat",
    "Rounds",
    "SelectField",
    "SessionFields",
    "SessionType",
    "StringField",
    "SynchronizingWait",
    "TextAreaField",
    "Upload",
    "_",
    "add_to_group",
    "after",
    "append_to_csv",
    "balanced",
    "create_group",
    "create_groups",
    "cu",
    "data_uri",
    "durable",
    "every",
    "external",
    "finish",
    "fmtdate",
    "fmtnum",
    "get_setting",
    "in_thread",
    "live",
    "mark_dropout",
    "move_to_end",
    "move_to_page",
    "notify",
    "other_in_group",
    "other_in_session",
    "others_in_group",
    "others_in_session",
    "payment",
    "players",
    "random_round",
    "read_csv",
    "redirect",
    "reload",
    "rng",
    "safe",
    "secret",
    "send_to",
    "show_message",
    "spawn",
    "to",
    "watch_for_dropout",
]

# Known to whoever writes `partner: Player`, but not to type checkers: for them, `class Player(PlayerFields)` after the
# star import would define one name twice. Typed code says PlayerType where it declares no fields.
if not TYPE_CHECKING:
    __all__ += ["Group", "Player", "Session"]
