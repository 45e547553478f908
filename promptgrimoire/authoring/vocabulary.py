"""The names that an experiment may define, those of oTree with their translation, and near-misses between them.

Owns the tables that the loading checks look names up in; never looks at an experiment itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

NEAR = 0.85  # difflib ratio from which a name counts as a misspelt one

# Page attributes and what their values are, in words.
ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "template": 'the name of a template file, as in "Counter.html"',
        "title": "text",
        "fields": "a dict of fields, or a function of (page, player)",
        "allow_back": "True or False",
        "timeout": "seconds (a number), or a function of (page, player)",
        "keep_values": "True or False",
        "stealth_fields": "field names",
        "live_fields": 'a path, as in "session.count", or a tuple of paths',
        "live_inputs": 'a dict of paths and types, as in {"player.draft": str}',
        "tabs": '"allow", "takeover" or "refuse"',
    }
)

# What an app module may define: functions, with their parameters and those that they may leave out ...
MODULE_HOOKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "new_session": (("session",), ()),
        "new_player": (("player",), ()),
        "restart": (("session",), ()),
        "language": (("player",), ()),
        "on_join": (("player",), ()),
        "on_connect": (("player",), ()),
        "on_disconnect": (("player",), ("reason",)),
        "on_dropout": (("player",), ()),
    }
)
# ... those that come with later versions ...
LATER_MODULE_HOOKS = ("digest", "pipeline", "on_idle", "on_active")
# ... and everything else.
MODULE_VALUES = (
    "page_order",
    "DESCRIPTION",
    "SUGGESTED_MULTIPLE",
    "LANDING_PAGE",
    "DROPOUT_TOLERANCE",
    "Context",
    "C",
    "Player",
)

OTREE_MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "is_displayed": "def show(page, player)",
        "vars_for_template": "def templatevars(page, player)",
        "js_vars": "def jsvars(page, player)",
        "before_next_page": "def after_once(page, player)",
        "live_method": "one function per message, each with @live: @live async def name(page, player, ...)",
        "form_model": "fields = dict(name=StringField(...)), without a model",
        "form_fields": "fields = dict(name=StringField(...))",
        "get_form_fields": "def fields(page, player)",
        "error_message": "def validate(page, player, data)",
        "get_timeout_seconds": "def timeout(page, player)",
        "timeout_seconds": "timeout = 60",
        "timeout_submission": "def timeout_reached(page, player)",
        "template_name": 'template = "Name.html"',
        "after_all_players_arrive": "def all_here(page, group) on a SynchronizingWait",
        "wait_for_all_groups": 'synchronize = "session" on a SynchronizingWait',
        "group_by_arrival_time": "a GroupCreatingWait with group_size",
        "app_after_this_page": "move_to_page(player, ...) in after_once",
        "allow_custom_attributes": "nothing: remove it",
        "title_text": 'title = "..."',
        "body_text": "a template, or a docstring that starts with '# '",
    }
)
OTREE_MODULE: Mapping[str, str] = MappingProxyType(
    {
        "creating_session": "def new_session(session), and def new_player(player) for what each player starts with",
        "page_sequence": "page_order = [...]",
        "group_by_arrival_time_method": "def group_by(page, player) on a GroupCreatingWait",
        "vars_for_admin_report": "def digest(session)",
        "custom_export": "def pipeline(session)",
        "Subsession": "nothing: fields of a session are set directly, session.x = 1",
    }
)
# Names that oTree's star import gives, and ours does not.
OTREE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "WaitPage": "SynchronizingWait, or GroupCreatingWait where groups form as people arrive",
        "BaseConstants": "class C, without a base",
        "BaseSubsession": "nothing: fields of a session are set directly, session.x = 1",
        "BaseGroup": "nothing: fields of a group are set directly, group.x = 1",
        "BasePlayer": "nothing, or class Player(PlayerFields): fields are set directly, player.x = 1",
        "models": "fields of a page: fields = dict(name=IntegerField(...))",
        "widgets": "a field: RadioField, TextAreaField, DecimalRangeField and others",
        "CurrencyField": "DecimalField",
        "LongStringField": "TextAreaField",
        "Currency": "cu, which is Python's Decimal",
        "currency_range": "range(...)",
        "Submission": "nothing yet: bots come with a later version",
    }
)
# Parameters of fields, in oTree and in Django.
FOREIGN_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "blank": "optional=True",
        "required": "optional=True where it may be left empty; otherwise an answer is needed anyway",
        "initial": "default",
        "verbose_name": "label",
        "help_text": "description",
        "min_value": "min",
        "max_value": "max",
        "minimum": "min",
        "maximum": "max",
        "options": "choices",
    }
)


def near_miss(name: str, names: Iterable[str]) -> str | None:
    """The name of which `name` looks like a misspelling (case and underscores aside), or None."""
    plain = _plain(name)
    best, best_ratio = None, NEAR
    for other in names:
        swapped = plain != _plain(other) and sorted(plain) == sorted(_plain(other))  # difflib is harsh on `shwo`
        ratio = NEAR if swapped else difflib.SequenceMatcher(None, plain, _plain(other)).ratio()
        if other != name and ratio >= best_ratio:
            best, best_ratio = other, ratio
    return best


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
