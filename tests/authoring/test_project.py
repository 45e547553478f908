"""`grimoire.toml` and `grimoire.py`: what they say, and how each mistake in them reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptgrimoire.authoring.project import Admin, Config, Project, Room, read_project
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.errors import AuthorError, ExperimentError
from promptgrimoire.settings import line_of

WHOLE = """
language = "de"

[server]
port = 9000

[settings]
rate = 0.05

[configs.full]
title = "All of it"
apps = ["instructions", "market"]
settings = { rate = 0.1, sizes = [2, 4] }
language = "pt-BR"

[configs.pilot]
apps = ["market"]

[rooms.lab]
config = "full"
labels = "labels.txt"
capacity = 30

[admins.alice]
password = "correct horse"

[secrets]
API_KEY = "from the section"
OTHER = "other"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "labels.txt").write_text("a01\n")
    return tmp_path


def problems(folder: Path, toml: str = "", python: str = "", secrets: str = "") -> list[str]:
    """What is wrong with a project of these files."""
    for name, text in (("grimoire.toml", toml), ("grimoire.py", python), ("secrets.toml", secrets)):
        if text:
            (folder / name).write_text(text)
    with pytest.raises(ExperimentError) as refused:
        read_project(folder)
    return refused.value.problems


def test_a_project(project: Path) -> None:
    (project / "grimoire.toml").write_text(WHOLE)
    found = read_project(project)
    assert list(found.configs) == ["full", "pilot"]
    full = found.configs["full"]
    assert full == Config(
        name="full",
        apps=("instructions", "market"),
        title="All of it",
        settings={"rate": 0.1, "sizes": [2, 4]},
        language="pt-BR",
        where="grimoire.toml:12",
    )
    assert (found.settings, found.language) == ({"rate": 0.05}, "de")
    assert found.rooms == {"lab": Room(name="lab", config="full", labels="labels.txt", capacity=30)}
    assert found.admins == {"alice": Admin(name="alice", password="correct horse")}
    assert "horse" not in repr(found)


def test_a_folder_without_files_is_a_project_without_configs(tmp_path: Path) -> None:
    assert read_project(tmp_path) == Project(tmp_path)


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[config.full]\napps = ['a']", "grimoire.toml:1: config: did you mean 'configs'?"),
        ("\n[configs.full]\nApps = ['a']\napps = ['a']", "grimoire.toml:3: configs.full.Apps: did you mean 'apps'?"),
        (
            "[configs.full]\ncolour = 'red'\napps = ['a']",
            "grimoire.toml:2: configs.full.colour: there is no such name;",
        ),
        ("[configs.full]\napps = 'market'", "grimoire.toml:2: configs.full.apps: Expected `array`, got `str`"),
        ("[configs.full]\napps = [1]", "grimoire.toml:2: configs.full.apps: Expected `str`, got `int` - at `$[0]`"),
        ("[configs.full]\ntitle = 'x'", "grimoire.toml:1: configs.full: names no app; write apps = ["),
        ("configs = ['full']", "grimoire.toml:1: configs: expected tables, as in"),
        ("[configs]\nfull = 'market'", "grimoire.toml:2: configs.full: expected a table, as in"),
        ("[configs.'a b']\napps = ['a']", "grimoire.toml:1: configs.a b: is no name"),
        ("[configs.full]\napps = ['a']\nsettings = 5", "grimoire.toml:3: configs.full.settings: expected a table"),
        ("[configs.full\n", "grimoire.toml:1: "),
        ("a = 1\nb = \n", "grimoire.toml:2: Invalid value"),
        ("language = 'deutsch, bitte'", "grimoire.toml:1: language: expected the code of a language"),
        ("language = 'xx'", "grimoire.toml:1: language: expected the code of a language"),
        (
            "[configs.full]\napps = ['a']\nsettings = { language = 'klingon' }",
            "grimoire.toml:3: configs.full.settings.language: expected the code of a language",
        ),
        ("[configs.a]\napps=['a']\n[rooms.lab]\nconfig = 'b'", "grimoire.toml:4: rooms.lab.config: there is no config"),
        ("[rooms.lab]\nlabels = 'nowhere.txt'", "grimoire.toml:2: rooms.lab.labels: there is no file nowhere.txt"),
        ("[rooms.lab]\npattern = '('", "grimoire.toml:2: rooms.lab.pattern: is no regular expression"),
        ("[rooms.lab]\ncapacity = -1", "grimoire.toml:2: rooms.lab.capacity: expected a number"),
        ("[admins.alice]", "grimoire.toml:1: admins.alice: has no password"),
        ("[secrets]\nKEY = 12345678", 'grimoire.toml:2: KEY: expected a name and text, as in OPENAI_API_KEY = "…"'),
    ],
)
def test_a_mistake_names_file_line_and_mend(tmp_path: Path, toml: str, problem: str) -> None:
    (found,) = problems(tmp_path, toml)
    assert found.startswith(problem)
    assert "12345678" not in found


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "rooom = 1\n[configs.a]\napp = ['x']\n[configs.b]\ntitel = 'x'\napps = ['x']\n")
    assert [problem.partition(": ")[0] for problem in found] == [f"grimoire.toml:{line}" for line in (1, 3, 5, 2)]


def test_where_it_is_computed(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("SIZES = (2, 4)\n")
    (tmp_path / "grimoire.toml").write_text("[configs.full]\napps = ['a']\n[settings]\nrate = 1\n")
    (tmp_path / "grimoire.py").write_text(
        "from decimal import Decimal\nfrom helper import SIZES\n\n"
        "configs = {f'of_{n}': {'apps': ['a'], 'settings': {'size': n, 'fee': Decimal(5)}} for n in SIZES}\n"
        "settings = {'fee': 2}\n"
    )
    found = read_project(tmp_path)
    assert list(found.configs) == ["full", "of_2", "of_4"]
    assert found.settings == {"rate": 1, "fee": 2}
    assert found.configs["of_4"].settings["size"] == 4
    assert found.configs["of_4"].where == "grimoire.py:4"


@pytest.mark.parametrize(
    ("python", "problem"),
    [
        ("x = 1\nconfigs = {'full': {'apps': 'a'}}", "grimoire.py:2: configs.full.apps: Expected `array`, got `str`"),
        ("\nconfig = {}", "grimoire.py:2: config: did you mean 'configs'?"),
        ("\n1 / 0", "grimoire.py:2: ZeroDivisionError"),
        ("\nconfigs = {", "grimoire.py:2: SyntaxError"),
        ("settings = {'f': print}", "grimoire.py:1: settings.f: "),
        ("configs = {1: {}}", "grimoire.py:1: configs.1: is no name"),
        ("secrets = {'A': 'b'}", "grimoire.py:1: secrets: source code is no place for them"),
        ("configs = {'there': {'apps': ['a']}}", "grimoire.py:1: configs.there: stands in grimoire.toml too"),
        ("language = 'de'", "grimoire.py:1: language: stands in grimoire.toml too"),
    ],
)
def test_a_mistake_in_python(tmp_path: Path, python: str, problem: str) -> None:
    found = problems(tmp_path, "language = 'en'\n[configs.there]\napps = ['a']\n", python)
    assert found[0].startswith(problem)


def test_secrets_come_from_the_environment_then_from_files(project: Path) -> None:
    (project / "grimoire.toml").write_text(WHOLE)
    (project / "secrets.toml").write_text('API_KEY = "from the file"\n')
    secrets = Secrets({"OTHER": "from outside", "EMPTY": ""})
    read_project(project, secrets)
    assert [secrets.get("API_KEY"), secrets.get("OTHER")] == ["from the file", "from outside"]
    with pytest.raises(AuthorError, match=r"no such secret; did you mean 'API_KEY'\?; set the environment variable"):
        secrets.get("API_KEYS")
    with pytest.raises(AuthorError, match="EMPTY"):
        secrets.get("EMPTY")


def test_what_is_computed_may_ask_for_secrets(project: Path) -> None:
    (project / "grimoire.py").write_text(
        "from promptgrimoire import secret\nsettings = {'length': len(secret('API_KEY'))}\n"
    )
    (project / "secrets.toml").write_text('API_KEY = "12345"\n')
    assert read_project(project).settings == {"length": 5}


def test_secrets_are_masked_and_refused() -> None:
    secrets = Secrets({"QUOTED": 'with "quotes"\n', "SHORT": "abc"})
    secrets.replace({"KEY": "sk-123456", "UNUSED": "sk-654321"})
    assert secrets.masked("Bearer sk-123456, sk-654321") == "Bearer [secret KEY], [secret UNUSED]"
    assert secrets.masked('with "quotes"\n') == 'with "quotes"\n'  # not asked for: not known
    secrets.get("QUOTED")
    secrets.get("SHORT")
    assert secrets.masked('with "quotes"\n') == "[secret QUOTED]"
    with pytest.raises(AuthorError, match="the value of the secret QUOTED was about to be stored"):
        secrets.check([b"1", rb'{"a":["x with \"quotes\"\n"]}'])
    secrets.check([b'"abc"', b'"sk-12345"'])
    secrets.replace({})
    with pytest.raises(AuthorError, match="KEY"):
        secrets.check([b'"sk-123456"'])


def test_lines_of_toml() -> None:
    text = '# x\n[a."b c"]\nd = 1\ne = { f = 2 }\n\n[[g]]\nh.i = 3\n'
    places = {("a",): 2, ("a", "b c"): 2, ("a", "b c", "d"): 3, ("a", "b c", "e", "f"): 4, ("g", "h", "i"): 7}
    assert {keys: line_of(text, keys) for keys in places} == places
    assert line_of(text, ["nothing"]) == 1
