"""`python -m promptgrimoire` is the command `promptgrimoire`."""

from __future__ import annotations

import sys

from promptgrimoire.cli import main

if __name__ == "__main__":
    sys.exit(main())
