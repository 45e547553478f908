"""Which line of the author's code is running: for the journal, errors and the codebook. Reads frames, opens no file."""

from __future__ import annotations

import sys
from pathlib import Path

_FRAMEWORK = str(Path(__file__).resolve().parent.parent) + "/"
_DEEPEST = 40


class Lines:
    """Names lines of one experiment, relative to its project folder (`market/__init__.py:12`).

    `steps` is the file of the framework that calls whatever may write: what is above it on the stack is nobody's.
    """

    def __init__(self, project: str | Path | None = None, steps: str = "") -> None:
        self._project = str(Path(project).resolve()) + "/" if project else ""
        # File name as compiled -> name to show, "" where it is not the author's; None: nothing further up is.
        self._names: dict[str, str | None] = {steps: None}

    def _name(self, file: str) -> str:
        if file.startswith(_FRAMEWORK) or file.startswith("<frozen"):
            name = ""
        elif self._project:
            name = file.removeprefix(self._project) if file.startswith(self._project) else ""
        else:
            name = Path(file).name
        self._names[file] = name
        return name

    def here(self, depth: int = 1) -> str:
        """`file:line` of the innermost frame that is the author's, or "" where none is on the stack.

        The search begins `depth` calls above this one: who knows that nothing nearer can be the author's may say more.
        """
        frame = sys._getframe(depth)
        names = self._names
        for _ in range(_DEEPEST):
            file = frame.f_code.co_filename
            name = names[file] if file in names else self._name(file)
            if name:
                return f"{name}:{frame.f_lineno}"
            outer = frame.f_back
            if name is None or outer is None:
                return ""
            frame = outer
        return ""
