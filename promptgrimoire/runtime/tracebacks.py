"""What an author is shown of a traceback: their own lines.

Owns what counts as an author's file; never logs anything.
"""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from promptgrimoire.errors import AuthorError

_PATHS = sysconfig.get_paths()
_OTHERS = tuple(
    f"{Path(path).as_posix()}/"
    for path in (
        str(Path(__file__).parents[1]),
        *map(_PATHS.__getitem__, ("purelib", "platlib", "stdlib", "platstdlib")),
    )
)


def is_author(file: str) -> bool:
    """Whether a file (`co_filename`) belongs to an experiment: not to us, to Python, or to an installed package."""
    return not file.startswith("<") and not Path(file).as_posix().startswith(_OTHERS)


def author_traceback(error: BaseException) -> str:
    """The traceback from the author's first line on: what called it is ours, and the same every time.

    Of our own refusals without any line of the author's, the message, which names the place. Else all of it.
    """
    start = _begins(error.__traceback__)
    if start is None and isinstance(error, AuthorError):
        cause = error.__cause__
        before = "" if cause is None or _begins(cause.__traceback__) is None else author_traceback(cause)
        return before + "".join(traceback.format_exception_only(error))
    return "".join(traceback.format_exception(type(error), error, start or error.__traceback__))


def _begins(found: TracebackType | None) -> TracebackType | None:
    while found is not None:
        frame = found.tb_frame
        if is_author(frame.f_code.co_filename) and "__jinja_template__" not in frame.f_globals:  # compiled: other lines
            return found
        found = found.tb_next
    return None
