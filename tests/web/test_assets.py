"""Static files: content in the address, cached for ever, compressed, and nothing beyond the folder."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from promptgrimoire.errors import NotFound
from promptgrimoire.web.assets import Assets, mime_type
from tests.web.fakes import FakeExperiment, FakeGateway


async def test_evidence_48_the_clients_files_are_cached_for_ever(client: httpx.AsyncClient, assets: Assets) -> None:
    for path in assets.paths():
        answer = await client.get(assets.url(path))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == mime_type(path)
        assert answer.text == assets.text(path)
        plain = await client.get(assets.url(path), headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
        assert (await client.head(assets.url(path))).status_code == 200


def test_the_address_changes_with_any_file(tree: Path) -> None:
    before = Assets(tree)
    assert before.hash == Assets(tree).hash
    (tree / "pictures" / "a.svg").write_text("<svg />")
    changed = Assets(tree)
    assert changed.hash != before.hash
    (tree / "pictures" / "a.svg").rename(tree / "pictures" / "b.svg")
    assert Assets(tree).hash != changed.hash


async def test_another_hash_is_not_found(client: httpx.AsyncClient, assets: Assets) -> None:
    path = assets.paths()[0]
    for address in (
        f"/static/0000000000000000/{path}",
        f"{assets.prefix}nothing.js",
        f"{assets.prefix}%2e%2e/pyproject.toml",
    ):
        assert (await client.get(address)).status_code == 404


def test_only_files_that_exist_have_an_address(tree: Path) -> None:
    assets = Assets(tree)
    with pytest.raises(NotFound, match=r"no static file 'code\.mjs'"):
        assets.url("code.mjs")
    assert ".hidden" not in assets.paths()


def test_evidence_48_compressed_once_where_it_is_worth_it(tree: Path) -> None:
    assets = Assets(tree)
    large, small = assets._files["code.js"], assets._files["pictures/a.svg"]
    assert gzip.decompress(bytes(large[True].body)) == large[False].body
    assert "content-encoding" not in small[True].headers


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a/b.js", "text/javascript; charset=utf-8"),
        ("a.CSS", "text/css; charset=utf-8"),
        ("a.qqq", "application/octet-stream"),
    ],
)
def test_types(path: str, kind: str) -> None:
    assert mime_type(path) == kind


async def test_an_apps_static_files(client: httpx.AsyncClient, gateway: FakeGateway, tree: Path) -> None:
    gateway.experiments.known["art"] = FakeExperiment("art", static_folder=tree)
    answer = await client.get("/app-static/art/pictures/a.svg")
    assert (answer.text, answer.headers["content-type"]) == ("<svg/>", "image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get("/app-static/art/pictures/a.svg", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    versioned = await client.get("/app-static/art/pictures/a.svg?v=1")
    assert "immutable" in versioned.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "..%2fsecret.py",
        "%2e%2e/secret.py",
        "pictures/%2e%2e/%2e%2e/secret.py",
        "way-out",
        ".hidden",
        "pictures",
        "%00",
        "//etc/passwd",
        "/etc/passwd",
        "nothing",
    ],
)
async def test_nothing_beyond_the_folder(
    client: httpx.AsyncClient, gateway: FakeGateway, tree: Path, path: str
) -> None:
    gateway.experiments.known["art"] = FakeExperiment("art", static_folder=tree)
    answer = await client.get(f"/app-static/art/{path}")
    assert answer.status_code == 404
    assert "KEY" not in answer.text


async def test_apps_without_static_files(client: httpx.AsyncClient) -> None:
    assert (await client.get("/app-static/counter/a.js")).status_code == 404
    assert (await client.get("/app-static/unknown/a.js")).status_code == 404
