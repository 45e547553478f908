"""Settings: later sources win, and what cannot be says where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptgrimoire.settings import Grace, Limits, Settings, SettingsError, read_settings


def test_nothing_set_gives_the_defaults() -> None:
    assert read_settings() == Settings()
    assert Settings().development


def test_defaults_are_those_of_the_design() -> None:
    limits = Limits()
    assert (limits.frame, limits.calls_per_second, limits.call_burst, limits.connections) == (64_000, 50, 100, 8)
    assert (limits.outbox_events, limits.outbox_bytes, limits.entry) == (1_000, 1_000_000, 1_000_000)
    assert (limits.upload, limits.players, limits.tasks) == (20_000_000, 10_000, 1_000)
    assert (Grace().submission, Grace().call, Grace().watchdog) == (10, 60, 0.25)


def test_flags_beat_variables_beat_the_file(tmp_path: Path) -> None:
    (tmp_path / "grimoire.toml").write_text(
        '[server]\nhost = "a"\nport = 1\norigins = ["https://x"]\n'
        "[server.limits]\nframe = 5\nentry = 6\n[configs.full]\napps = []\n"
    )
    environment = {
        "GRIMOIRE_PORT": "2",
        "GRIMOIRE_HOST": "b",
        "GRIMOIRE_LIMITS_FRAME": "7",
        "GRIMOIRE_GRACE_CALL": "1.5",
    }
    settings = read_settings(tmp_path, environment, {"host": "c", "port": None})
    assert (settings.host, settings.port, settings.origins) == ("c", 2, ("https://x",))
    assert (settings.limits.frame, settings.limits.entry, settings.limits.players) == (7, 6, 10_000)
    assert settings.grace.call == 1.5


def test_variables_of_every_kind() -> None:
    settings = read_settings(
        environment={
            "GRIMOIRE_PRODUCTION": "true",
            "GRIMOIRE_ORIGINS": "https://a, https://b",
            "GRIMOIRE_ELSE": "x",
            "PATH": "",
        }
    )
    assert settings.production
    assert settings.origins == ("https://a", "https://b")


@pytest.mark.parametrize(
    ("file", "environment", "message"),
    [
        ("[server]\nprot = 1\n", {}, r"grimoire\.toml.*unknown field `prot`"),
        ('\n[server]\nport = "many"\n', {"GRIMOIRE_HOST": "a"}, r"^grimoire\.toml:3: Expected `int`.*\$\.port"),
        ("[server.limits]\nframe = [1]\n", {}, r"\$\.limits\.frame"),
        ("server = 1\n", {}, r"expected a table \[server\], found 1"),
        ("[server\n", {}, r"grimoire\.toml:1: "),
        ("", {"GRIMOIRE_PORT": "x"}, r"GRIMOIRE_PORT.*\$\.port"),
        ("", {"GRIMOIRE_PRODUCTION": "perhaps"}, r"GRIMOIRE_PRODUCTION.*\$\.production"),
    ],
)
def test_mistakes_say_where(tmp_path: Path, file: str, environment: dict[str, str], message: str) -> None:
    (tmp_path / "grimoire.toml").write_text(file)
    with pytest.raises(SettingsError, match=message):
        read_settings(tmp_path, environment)


@pytest.mark.parametrize(
    ("text", "mend"),
    [("prot = 3", "`port`"), ("[server.limits]\nframes = 3", "`frame`"), ("colour = 3", "there are host, port")],
)
def test_a_misspelt_setting_is_an_error_with_its_mend(tmp_path: Path, text: str, mend: str) -> None:
    (tmp_path / "grimoire.toml").write_text("[server]\n" + text)
    with pytest.raises(SettingsError) as refused:
        read_settings(tmp_path)
    assert mend in str(refused.value)


def test_a_misspelt_variable_is_an_error_with_its_mend() -> None:
    for name, meant in (("HOTS", "HOST"), ("LIMIT_FRAME", "LIMITS_FRAME")):
        with pytest.raises(SettingsError, match=f"did you mean GRIMOIRE_{meant}"):
            read_settings(environment={f"GRIMOIRE_{name}": "x"})
    assert read_settings(environment={"GRIMOIRE_TORTURE": "1"}) == read_settings()
