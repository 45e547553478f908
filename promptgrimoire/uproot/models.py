"""Typed entries over one list: `import promptgrimoire.uproot.models as um`. What they are: authoring/entries.py."""

from promptgrimoire.authoring.entries import (
    Entry,
    add_entry,
    add_raw_entry,
    auto_add_entry,
    create_model,
    filter_entries,
    get_entries,
    get_latest_entry,
    model_exists,
)

__all__ = [
    "Entry",
    "add_entry",
    "add_raw_entry",
    "auto_add_entry",
    "create_model",
    "filter_entries",
    "get_entries",
    "get_latest_entry",
    "model_exists",
]
