# ruff: noqa: F401, F403
"""The compatibility face: `from promptgrimoire.uproot import *` gives an app written for uproot the names that it uses.

Such an app ports by its import lines: `uproot.smithereens`, `uproot.fields`, `uproot.types`, `uproot.models` and
`uproot.chat` become `promptgrimoire.uproot.smithereens` and so on. What differs stands in docs/uproot.md.
"""

import promptgrimoire
from promptgrimoire import *
from promptgrimoire.uproot import chat, fields, models, smithereens, types
from promptgrimoire.uproot.fields import *
from promptgrimoire.uproot.smithereens import *
from promptgrimoire.uproot.types import *

__all__ = sorted({*promptgrimoire.__all__, *smithereens.__all__, *fields.__all__, *types.__all__, "chat", "models"})
