"""A participant's page: shown, submitted, compressed, never cached; and what is shown when something fails."""

from __future__ import annotations

import logging

import httpx
import pytest

from promptgrimoire.errors import JournalUnavailable, Refused
from tests.web.fakes import FakeGateway, FakeHost, FakeRendering


@pytest.fixture
async def host(gateway: FakeGateway) -> FakeHost:
    return await gateway.create_session("counter", players=2)


@pytest.fixture
def place(host: FakeHost) -> str:
    return f"/p/{host.lines[0].token}/"


async def test_pages_are_compressed_and_never_stored(client: httpx.AsyncClient, place: str) -> None:
    answer = await client.get(place)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.text)
    plain = await client.get(place, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text


async def test_the_end_is_a_page(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    host.shown = FakeRendering("", 200, "end")
    assert "<h1>Thank you</h1>" in (await client.get(place)).text


async def test_who_is_held_can_try_again(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    host.shown = FakeRendering("", 500, "held", "abc123")
    answer = await client.get(place)
    assert answer.status_code == 500
    assert "abc123" in answer.text
    assert '<input type="hidden" name="_retry" value="1">' in answer.text


async def test_a_page_in_preparation_goes_on_by_itself(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    host.shown = FakeRendering("", 200, "moment")
    assert 'http-equiv="refresh" content="1; url=?waiting"' in (await client.get(place)).text
    assert 'http-equiv="refresh"' in (await client.get(f"{place}?waiting")).text
    assert host.patience == [1, 20]
    host.shown = None
    answer = await client.get(f"{place}?waiting")
    assert (answer.status_code, answer.headers["location"]) == (303, place)


async def test_a_submission_reaches_the_host_and_leads_on(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    data = {"_stay": "7", "_submission": "abc-1", "colour": ["red", "blue"], "_calls": "[]"}
    answer = await client.post(place, data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, place)
    assert host.submissions == [(host.lines[0].token, 7, "abc-1", {"colour": ["red", "blue"], "_calls": ["[]"]})]


async def test_a_refused_submission_is_answered_by_its_page(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    host.answer = FakeRendering("<p>What is wrong</p>", 422)
    answer = await client.post(place, data={"_stay": "7", "_submission": "a", "age": "x"})
    assert (answer.status_code, answer.text) == (422, "<p>What is wrong</p>")
    assert answer.headers["cache-control"] == "no-store"
    host.answer = FakeRendering("", 200, "moment")
    answer = await client.post(place, data={"_stay": "7", "_submission": "a", "age": "x"})
    assert (answer.status_code, 'http-equiv="refresh"' in answer.text) == (200, True)


async def test_a_submission_still_being_checked_is_posted_again(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    host.failure = Refused("busy", "Your answers are still being checked.")
    answer = await client.post(place, data={"_stay": "7", "_submission": "a", "age": "41"})
    assert answer.status_code == 503
    for name, value in (("_stay", "7"), ("_submission", "a"), ("age", "41")):
        assert f'name="{name}" value="{value}"' in answer.text


async def test_hooks_see_the_request_without_its_credentials(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    client.cookies.set("visitor", "a" * 26)
    await client.post(f"{place}?n=7", data={"_stay": "7", "_submission": "a"}, headers={"user-agent": "Test"})
    (request,) = host.requests
    assert request is not None
    assert (request.method, request.params, request.headers["user-agent"]) == ("POST", {"n": "7"}, "Test")
    assert "cookie" not in request.headers


async def test_a_multipart_form_is_read_too(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    await client.post(place, files={"_stay": (None, "7"), "_submission": (None, ""), "a": (None, "ü")})
    assert host.submissions[0][1:] == (7, "", {"a": ["ü"]})


@pytest.mark.parametrize("stay", ["", "-1", "x", "9" * 20, "٣"])
async def test_a_submission_without_a_stay_is_refused(
    client: httpx.AsyncClient, host: FakeHost, place: str, stay: str
) -> None:
    answer = await client.post(place, data={"_stay": stay, "_submission": "a"})
    assert answer.status_code == 400
    assert host.submissions == []


async def test_trying_again_after_an_error_on_entering(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    assert (await client.post(place, data={"_retry": "1"})).status_code == 303
    assert host.retried == [host.lines[0].token]


async def test_an_unknown_token_is_a_page(client: httpx.AsyncClient, place: str) -> None:
    for wrong in ("/p/x/", place[:-4] + "xxx/", "/nowhere"):
        answer = await client.get(wrong)
        assert answer.status_code == 404
        assert "Nothing here" in answer.text


async def test_a_refusal_is_a_plain_page(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    host.failure = Refused("stale", "This page is <over>.")
    answer = await client.get(place)
    assert answer.status_code == 409
    assert "This page is &lt;over&gt;." in answer.text


async def test_storage_that_fails_is_one_moment(client: httpx.AsyncClient, host: FakeHost, place: str) -> None:
    host.failure = JournalUnavailable("disk full")
    answer = await client.get(place)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"
    assert 'http-equiv="refresh"' in answer.text
    assert "disk full" not in answer.text


async def test_a_form_that_cannot_be_stored_is_sent_again_as_it_was(
    client: httpx.AsyncClient, host: FakeHost, place: str
) -> None:
    host.failure = JournalUnavailable("disk full")
    answer = await client.post(place, data={"_stay": "7", "_submission": "abc", "story": 'He said "no" & left\n<b>'})
    assert answer.status_code == 503
    assert "refresh" not in answer.text
    assert '<input type="hidden" name="story" value="He said &#34;no&#34; &amp; left\n&lt;b&gt;">' in answer.text
    assert '<input type="hidden" name="_submission" value="abc">' in answer.text


async def test_a_bug_is_a_page_with_a_reference_that_the_log_knows(
    client: httpx.AsyncClient, host: FakeHost, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    host.failure = ZeroDivisionError("secret detail")
    with caplog.at_level(logging.ERROR):
        answer = await client.get(place)
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    reference = answer.text.split('class="reference">')[1].split("<")[0]
    assert reference in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text
    assert host.id in caplog.text
    assert host.lines[0].token not in caplog.text  # a link is a credential
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_what_the_session_has_reported_is_not_logged_again(
    client: httpx.AsyncClient, host: FakeHost, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    host.failure = ZeroDivisionError("once is enough")
    host.failure.reference = "abcd1234"  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR):
        answer = await client.get(place)
    assert "abcd1234" in answer.text
    assert caplog.text == ""


async def test_another_method_is_a_page_too(client: httpx.AsyncClient, place: str) -> None:
    answer = await client.put(place)
    assert answer.status_code == 405
    assert "allow" in answer.headers
    assert "<h1>" in answer.text


async def test_no_stray_favicon_request_fails(client: httpx.AsyncClient) -> None:
    assert (await client.get("/favicon.ico")).status_code == 204
