"""What the framework itself says to participants, in English; `catalogues/` has it in the other languages.

Owns texts that are needed by a key, or in more than one place; those of one template stand in it, those of forms in
form_texts.py. Nothing here is translated: `Language.gettext` does that. A test looks whether every text is in every
catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# Of the client, by the keys that static/grimoire/ reads. They travel with every page.
CLIENT: Mapping[str, str] = MappingProxyType(
    {
        "lost": "The connection is interrupted. What you do here is kept and sent as soon as it is back.",
        "back": "The connection is back.",
        "failed": "The server cannot be reached at the moment. Nothing is lost; please press the button again.",
        "error": "Something did not work. This is not your fault. Please tell the person who runs the study.",
        "input": "Please check your answers.",
        "takeover": "This study goes on in another tab or window, so this one is not up to date any more.",
        "refused": "This study is already open in another tab or window. Please go on there.",
        "gone": "This link does not lead anywhere any more. Please tell the person who runs the study.",
        "version": "This page is out of date. Please load it again.",
        "here": "Go on here",
        "again": "Load again",
        "close": "Close",
    }
)

# Of wait pages.
WAIT: Mapping[str, str] = MappingProxyType(
    {
        "title": "Please wait",
        "group": "Waiting for the other participants",
        "session": "Waiting until everybody is here",
        "matching": "Waiting until enough participants are here to form a group",
        "moves_on": "This page goes on by itself. Please keep it open.",
        "moment": "Please wait a moment.",
    }
)
# With numbers: singular, plural.
WAIT_MISSING = ("Waiting for {n} participant", "Waiting for {n} participants")
# In English one form; other languages have several.
WAIT_ARRIVED = ("{n} of {total} participants here", "{n} of {total} participants here")
WAIT_PATIENCE = ("You will wait for at most {n} more minute.", "You will wait for at most {n} more minutes.")

# Of time limits.
TIME: Mapping[str, str] = MappingProxyType(
    {
        "limit": "Your time for this page is limited.",
        "left": "Time left: {time}",
        "soon": "The time for this page is almost over.",
        "up": "The time is up. Your answers are being sent.",
        "over": "The time for this page is over.",
        "submitted": "The time was over, so your answers up to then were sent.",
    }
)
TIME_MINUTES = ("{n} minute left", "{n} minutes left")
TIME_SECONDS = ("{n} second left", "{n} seconds left")

# Of the page's frame.
FRAME: Mapping[str, str] = MappingProxyType({"next": "Next", "back": "Back"})
