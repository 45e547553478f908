"""The one patch language: what changed, where.

A patch names a record, a path inside it, an operation, and where in the author's code it happened. The value it
carries stands beside it (see `promptgrimoire.journal.entries`), so that it can be forgotten.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Operation = Literal["set", "delete", "splice", "permute", "add", "discard", "clear"]


class Patch(msgspec.Struct, array_like=True, omit_defaults=True):
    """One change.

    | op | path leads to | value |
    |---|---|---|
    | set | field, dict key or list index | the new value |
    | delete | field or dict key | none |
    | splice | list; `at` is the 0-based start, `count` how many items are removed | list of inserted items |
    | permute | list | the old indices in their new order |
    | add, discard | set | the member |
    | clear | dict or set | none |

    `path` starts with the field's name; further elements are list indices or dict keys (stored values in their JSON form).
    """

    record: str
    op: Operation
    path: list[Any]
    at: int = 0
    count: int = 0
    app: str = ""
    round: int = 0
    line: str = ""
