"""What the tests of this folder share: an experiment written to disk and loaded. Owns no state beyond the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptgrimoire.authoring.experiment import Experiment, load

Write = Callable[..., Path]
Loaded = Callable[..., Experiment]


@pytest.fixture(autouse=True)
def _modules_as_before() -> Iterator[None]:
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an app's files: write("game", __init__="...", Counter_html="..."); gives its folder."""

    def write(name: str = "game", files: dict[str, str] | None = None) -> Path:
        for file, text in (files or {}).items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return tmp_path / name

    return write


@pytest.fixture
def loaded(write: Write) -> Loaded:
    """Load an app whose __init__.py is the text, with further files beside it."""

    def loaded(text: str, **files: str) -> Experiment:
        beside = {name.replace("_html", ".html").replace("_md", ".md"): content for name, content in files.items()}
        return load(write("game", {"__init__.py": text, **beside}))

    return loaded
