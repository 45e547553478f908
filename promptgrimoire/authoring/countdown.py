"""What a page with a time limit shows and says of it, in the participant's language; counting is the browser's."""

from __future__ import annotations

from math import ceil
from typing import Any

from promptgrimoire.authoring.language import Language
from promptgrimoire.authoring.texts import TIME, TIME_MINUTES, TIME_SECONDS

# Seconds before the end at which screen readers say how much is left.
MOMENTS = (3600, 1800, 900, 600, 300, 120, 60, 30, 10)


def countdown(language: Language, seconds: float, waits: bool = False) -> dict[str, Any]:
    """Texts around the time that is left (`seconds` of it now), those of the moments to come, and of its end.

    `waits`: a wait page, on which there is nothing to send.
    """
    says = language.says
    before, _, after = says(TIME["left"]).partition("{time}")
    left = max(0, ceil(seconds))
    return {
        "before": before,
        "after": after,
        "time": _clock(left),
        "start": f"{says(TIME['limit'])} {_words(language, left)}",
        "moments": {str(moment): _words(language, moment) for moment in MOMENTS if moment < left},
        "up": says(TIME["over"] if waits else TIME["up"]),
    }


def _words(language: Language, seconds: int) -> str:
    """Whole minutes from two on, rounded up; else seconds."""
    if seconds >= 120 or seconds == 60:
        return language.says(*TIME_MINUTES, n=ceil(seconds / 60))
    return language.says(*TIME_SECONDS, n=seconds)


def _clock(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
