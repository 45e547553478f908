"""Bad input over real HTTP: every field with hostile values at once; clear messages, nothing stored, nothing logged."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus

import httpx
import pytest

from tests.examples.stage import ROOT, Server

GOOD = {
    "age": "22",
    "email": "ann@example.org",
    "amount": "1.50",
    "warmth": "20.5",
    "major": "Physics",
    "country": "de",
    "team": "Blue",
    "leader": "False",
    "topics": "Law",
    "consent": "true",
}
WRONG: dict[str, Mapping[str, bytes | str]] = {
    "missing": dict.fromkeys(GOOD, ""),
    "script": dict.fromkeys(GOOD, "<script>alert(1)</script>") | {"major": "", "consent": ""},
    "NUL": dict.fromkeys(GOOD, "a\x00b"),
    "RTL override": dict.fromkeys(GOOD, "a\u202eb"),
    "half a character": dict.fromkeys(GOOD, b"\xed\xa0\x80"),
    "no text at all": dict.fromkeys(GOOD, b"\xff\xfe\x00\x80"),
    "absurd numbers": {
        "age": "1e999999",
        "amount": "9" * 10_000,
        "warmth": "-1e400",
        "team": "9" * 500,
        "topics": "-1",
    },
    "oversized": {"major": "x" * 200_000, "story": "x" * 200_000, "email": "x" * 5000, "country": "x" * 5000},
    "forged choices": {"country": "xx", "team": "Gold", "leader": "None", "topics": "Tax", "consent": "false"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bad input")
    started = Server(ROOT / "tests" / "browser" / "forms", folder / "database.sqlite3", len(WRONG) + 1)
    yield started
    log = started.stop()
    assert "Traceback" not in log, log
    assert "ERROR" not in log, log


def post(place: str, values: Mapping[str, bytes | str]) -> httpx.Response:
    stay = re.search(r'name="_stay" value="(\d+)"', httpx.get(place).text)
    assert stay
    pairs = {"_stay": stay[1], "_submission": "", **values}
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs.items())
    return httpx.post(place, content=body, headers={"content-type": "application/x-www-form-urlencoded"})


@pytest.mark.parametrize("kind", list(WRONG))
def test_bad_input_is_refused_in_words_and_nothing_is_stored(server: Server, kind: str) -> None:
    place = server.players[list(WRONG).index(kind)]
    values = {**GOOD, **WRONG[kind]}
    answer = post(place, {**values, "made_up": "1", "payoff": "1000000", "name": "Zoë"})
    assert answer.status_code == 422
    page = answer.text  # which is UTF-8, or this would fail
    for name in WRONG[kind]:
        assert f'id="{name}-error"' in page, name
    assert "<script>alert" not in page
    assert len(re.findall(r'class="invalid-feedback"', page)) == len(re.findall(r"<li><a href", page))
    assert post(place, GOOD).status_code == 303
    # The rest of the way, to the page that shows what is stored.
    scales = {
        name: "1" for name in ("risk", "price", "share", "happy", "agree", "quiet", "trusting", "trains", "boats")
    }
    assert post(place, scales).status_code == 303
    stay = re.search(r'name="_stay" value="(\d+)"', httpx.get(place).text)
    assert stay
    files = {"cv": ("cv.pdf", b"%PDF", "application/pdf")}
    more = {"_stay": stay[1], "_submission": "", "sum": "4", "plain": "x", "plain_radio": "1", "plain_list": "1"}
    assert httpx.post(place, data=more, files=files).status_code == 303
    shown = re.search(r'id="stored">(.*?)</p>', httpx.get(place).text)
    assert shown
    stored = json.loads(html.unescape(shown[1]))
    assert stored["major"] == "'Physics'"
    assert stored["amount"] == "Decimal('1.50')"
    assert stored["story"] == "None"
    assert not {"made_up", "name"} & stored.keys()
    assert "1000000" not in shown[1]
