"""The architecture, checked from the syntax tree; and each rule seen to fail on a small made-up tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import Tree

ROOT = Path(__file__).resolve().parent.parent

# From the top. A unit imports only units further down; units of one line never import each other.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("testing",),
    ("web",),
    ("uproot",),
    ("",),  # promptgrimoire/__init__.py, the author's face
    ("runtime", "data"),
    ("authoring", "journal"),
    ("state", "realtime"),
)
GROUND = ("context", "commands", "settings", "errors", "ids")

# Where a broad except may stand, and why. One that is not used any more is reported too.
AUTHOR_CODE = (
    "authoring.language:Languages.chosen",
    "authoring.templates:Templates.fragment",
    "authoring.templates:Templates.render",
    "runtime.activities:Run.raised",
    "runtime.call_runs:CallRun.fail",
    "runtime.calls:Calls._execute",
    "runtime.rendering:Renderings._page",
    "runtime.generators:run_generator",
    "runtime.segments:Segments._call",
    "runtime.segments:_Stepped.advance",
    "runtime.segments:_Stepped._fail",
    "runtime.segments:_Stepped._abandon",
    "web.launch:_open",
)
CONNECTION_LOOPS = (
    "realtime.connection:Connection._step",
    "realtime.connection:Connection._drain",
    "realtime.connection:Reader.handle",
    "realtime.connection:_Resumed.__await__",
    "web.failures:Failures._guard",
)
JOURNAL_WRITER = (
    "journal.base:call_listener",
    "journal.writer:Writer._run",
    "journal.writer:Writer._attempt",
    "journal.writer:Writer._step",
)
WATCHDOG = ("runtime.watchdog:Watchdog._watch",)
BOUNDARIES = (*AUTHOR_CODE, *CONNECTION_LOOPS, *JOURNAL_WRITER, *WATCHDOG)

PURE = (
    "state",
    "realtime.protocol",
    "realtime.outbox",
    "runtime.designs",
    "runtime.matching",
    "runtime.plan",
    "errors",
    "ids",
    "commands",
)
IMPURE_MODULES = frozenset(
    [
        "open",
        "io",
        "os",
        "socket",
        "ssl",
        "asyncio",
        "threading",
        "time",
        "sqlite3",
        "subprocess",
        "tempfile",
        "shutil",
        "starlette",
        "uvicorn",
        "websockets",
    ]
)
TOP_LEVEL = [
    "promptgrimoire.sqlite3*",  # the database of `make run`
    "pyproject.toml",
    "promptgrimoire",
    "examples",
    "static",
    "tests",
    "Makefile",
    "README.md",
    "docs",
    "LICENSE",
    "CHANGELOG.md",
    "build",
    "dist",
]
LINES = 450


@pytest.fixture(scope="module")
def package() -> Tree:
    return Tree.read(ROOT / "promptgrimoire")


def test_imports_point_downward(package: Tree) -> None:
    assert architecture.against_layers(package, LAYERS, GROUND) == []


def test_no_import_cycle(package: Tree) -> None:
    assert architecture.cycles(package) == []


def test_no_import_inside_a_function(package: Tree) -> None:
    assert architecture.imports_in_functions(package) == []


def test_no_module_level_mutable_state(package: Tree) -> None:
    contexts = {("promptgrimoire.context", name) for name in ("current", "_current")}
    assert architecture.mutable_state(package, contexts) == []


def test_broad_excepts_only_at_named_boundaries(package: Tree) -> None:
    assert architecture.broad_excepts(package, BOUNDARIES) == []


def test_pure_modules_do_no_io_and_own_no_clock(package: Tree) -> None:
    assert architecture.impure(package, PURE, IMPURE_MODULES) == []


def test_files_stay_readable(package: Tree) -> None:
    assert architecture.too_long(package, LINES) == []


def test_every_module_says_what_it_owns(package: Tree) -> None:
    assert architecture.without_docstring(package) == []


def test_top_of_the_repository_holds_only_what_belongs_there() -> None:
    assert architecture.unexpected_at_top(ROOT, TOP_LEVEL) == []


# ---------------------------------------------------------------- each rule can fail


Small = Callable[..., Tree]


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Write a package "house" from {path: source} and read it back."""

    def build(files: dict[str, str]) -> Tree:
        for name, source in {"__init__.py": "", **files}.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        return Tree.read(tmp_path / "house")

    return build


SMALL_LAYERS = (("web",), ("",), ("runtime", "data"))


@pytest.mark.parametrize(
    ("files", "finding"),
    [
        ({"runtime.py": "import house.web", "web.py": ""}, "'runtime' imports 'web'"),
        (
            {"runtime.py": "from house.web import app", "web/__init__.py": "", "web/app.py": ""},
            "'runtime' imports 'web'",
        ),
        ({"runtime.py": "from house import web", "web.py": ""}, "'runtime' imports 'web'"),
        (
            {"runtime/__init__.py": "", "runtime/host.py": "from ..web import x", "web.py": ""},
            "'runtime' imports 'web'",
        ),
        ({"runtime.py": "from house import data", "data.py": ""}, "'runtime' imports 'data'"),
        ({"runtime.py": "from house import Page"}, "'runtime' imports 'house'"),
        ({"errors.py": "import house.runtime", "runtime.py": ""}, "'errors' imports 'runtime'"),
        ({"attic.py": ""}, "'attic' is in no layer"),
    ],
)
def test_layers_can_fail(small: Small, files: dict[str, str], finding: str) -> None:
    assert finding in "\n".join(architecture.against_layers(small(files), SMALL_LAYERS, ("errors", "ids")))


def test_layers_allow_what_points_downward(small: Small) -> None:
    files = {"web.py": "from house import runtime, Page\nimport json", "runtime.py": "from house.errors import E"}
    tree = small({**files, "errors.py": "from house import ids", "ids.py": ""})
    assert architecture.against_layers(tree, SMALL_LAYERS, ("errors", "ids")) == []


def test_cycles_can_fail(small: Small) -> None:
    tree = small(
        {"a.py": "from house.b import x", "b.py": "import house.c", "c.py": "from . import a", "d.py": "import house.a"}
    )
    assert architecture.cycles(tree) == ["house.a -> house.b -> house.c -> house.a"]


def test_names_for_the_type_checker_make_no_cycle_but_count_for_layers(small: Small) -> None:
    tree = small({"runtime.py": "if TYPE_CHECKING:\n    from house.web import x", "web.py": "import house.runtime"})
    assert architecture.cycles(tree) == []
    assert len(architecture.against_layers(tree, SMALL_LAYERS, ())) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    import json",
        "class A:\n    async def f(self):\n        from house import b",
        "def f():\n    import_module('house.b')",
        "f = lambda: __import__('house')",
    ],
)
def test_imports_in_functions_can_fail(small: Small, source: str) -> None:
    assert len(architecture.imports_in_functions(small({"a.py": source}))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "seen = {}",
        "seen: dict[str, int] = {}",
        "seen = [x for x in y]",
        "seen = collections.deque()",
        "seen = defaultdict(list)",
        "seen = dict[str, int]()",
        "CURRENT = ContextVar('x')",
        "_lock = asyncio.Lock()",
        "TABLE = {}\ndef f(): TABLE['a'] = 1",
        "TABLE = {}\ndef f(): del TABLE['a']",
        "TABLE = []\ndef f(): TABLE.append(1)",
        "TABLE = set()\nTABLE |= {1}",
        "count = 0\ndef f():\n    global count\n    count += 1",
        "if True:\n    seen = {}",
    ],
)
def test_mutable_state_can_fail(small: Small, source: str) -> None:
    assert len(architecture.mutable_state(small({"a.py": source}))) == 1


def test_constants_are_no_mutable_state(small: Small) -> None:
    source = (
        "TABLE = {'a': 1}\n__all__ = ['f']\nlogger = getLogger()\nX = frozenset()\nY = MappingProxyType({})\nz = (1,)"
    )
    assert (
        architecture.mutable_state(
            small({"a.py": source, "b.py": "current = ContextVar('x')"}), {("house.b", "current")}
        )
        == []
    )


@pytest.mark.parametrize("caught", ["", " Exception", " BaseException as error", " (ValueError, Exception)"])
def test_broad_excepts_can_fail(small: Small, caught: str) -> None:
    source = f"class A:\n    def f(self):\n        try:\n            pass\n        except{caught}:\n            pass\n"
    tree = small({"web/a.py": source})
    assert "web.a:A.f (line 5)" in architecture.broad_excepts(tree, ())[0]
    assert architecture.broad_excepts(tree, ("web.a:A.f",)) == []


def test_broad_excepts_may_raise_again(small: Small) -> None:
    source = "try:\n    pass\nexcept BaseException:\n    print()\n    raise\n"
    assert architecture.broad_excepts(small({"a.py": source}), ()) == []


def test_a_boundary_that_is_none_any_more_is_reported(small: Small) -> None:
    assert architecture.broad_excepts(small({}), ("a:f",)) == ["a:f: a boundary without a broad except"]


@pytest.mark.parametrize(
    "source", ["import time", "from asyncio import sleep", "import os.path", "open('x')", "datetime.now()"]
)
def test_purity_can_fail(small: Small, source: str) -> None:
    tree = small({"state/a.py": source, "web.py": source})
    assert len(architecture.impure(tree, ("state",), IMPURE_MODULES)) == 1


def test_length_can_fail(small: Small) -> None:
    assert architecture.too_long(small({"a.py": "\n" * 11}), 10) == ["house.a: 11 lines, at most 10"]


def test_docstrings_can_fail(small: Small) -> None:
    assert architecture.without_docstring(small({"__init__.py": '"""A house."""', "a.py": "x = 1"})) == ["house.a"]


def test_top_level_can_fail(tmp_path: Path) -> None:
    for name in ("notes.txt", "tests", ".hidden"):
        (tmp_path / name).touch()
    assert architecture.unexpected_at_top(tmp_path, TOP_LEVEL) == ["notes.txt"]
