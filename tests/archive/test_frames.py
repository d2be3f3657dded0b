"""Frames go out to the one session, window and time they were opened for; everything else is the same 404."""

import gzip
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone

from equipoise.archive import frame_server
from equipoise.archive.frame_server import FrameServer, WindowCache, frames_asgi_app, parse_path
from equipoise.archive.models import AssetToken
from equipoise.archive.selectors import frame_etag, frame_locate
from equipoise.archive.services import (
    asset_token_issue,
    asset_tokens_close,
    asset_tokens_close_session,
    asset_tokens_sweep,
    volume_store,
)
from equipoise.common.ids import new_id
from tests.archive.conftest import INSTITUTE, TRIAL

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SESSION = "a-session-key"
READING = new_id()


@pytest.fixture
def stored(volume):
    return volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)


@pytest.fixture
def token(stored) -> AssetToken:
    """Leave to fetch frames 2 to 4."""
    return asset_token_issue(
        stored,
        first_frame=2,
        last_frame=4,
        session_key=SESSION,
        reading_id=READING,
        expires_at=timezone.now() + timedelta(minutes=10),
    )


def get_by_asgi(
    path: str, *, cookie: str = f"equipoise_session={SESSION}", method: str = "GET", **headers: str
):
    """Return status, headers and body as the bare application sends them."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(b"cookie", cookie.encode())] if cookie else []
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    async_to_sync(frames_asgi_app)(
        {"type": "http", "method": method, "path": path, "headers": raw}, receive, send
    )
    return sent[0]["status"], {n.decode(): v.decode() for n, v in sent[0]["headers"]}, sent[1]["body"]


def get_by_django(path: str, *, session: str = SESSION, **headers: str):
    client = Client()
    if session:
        client.cookies["equipoise_session"] = session
    response = client.get(path, headers=headers)
    return response.status_code, {n.lower(): v for n, v in response.items()}, response.content


def test_both_doors_send_the_stored_bytes(token, volume):
    for number in range(3):
        for status, headers, body in (
            get_by_asgi(f"/frames/{token.token}/{number}"),
            get_by_django(f"/frames/{token.token}/{number}"),
        ):
            assert status == 200
            pixels = np.frombuffer(gzip.decompress(body), "<i2").reshape(20, 24)
            np.testing.assert_array_equal(pixels, volume.array[2 + number])
            assert headers["content-encoding"] == "gzip"
            assert headers["content-type"] == "application/octet-stream"
            assert headers["cache-control"] == "private, max-age=3600, immutable"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["etag"] == f'"{frame_etag(token.token, number)}"'


def test_etag_tells_nothing_of_the_content(stored, token):
    again = asset_token_issue(
        stored,
        first_frame=2,
        last_frame=4,
        session_key=SESSION,
        expires_at=timezone.now() + timedelta(minutes=1),
    )
    _, first, body = get_by_asgi(f"/frames/{token.token}/0")
    _, second, same_body = get_by_asgi(f"/frames/{again.token}/0")
    assert body == same_body
    assert first["etag"] != second["etag"]


@pytest.mark.parametrize("number", ["3", "-1", "99", "0x1", "01", "0.0", "", "%30"])
def test_numbers_outside_the_window_are_not_found(token, number):
    assert get_by_asgi(f"/frames/{token.token}/{number}")[0] == 404


@pytest.mark.parametrize(
    "cookie", ["", "equipoise_session=another", "other=a-session-key", "equipoise_session="]
)
def test_other_sessions_are_not_found(token, cookie):
    assert get_by_asgi(f"/frames/{token.token}/0")[0] == 200  # now it is in the cache
    assert get_by_asgi(f"/frames/{token.token}/0", cookie=cookie)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
def test_other_methods_are_not_found(token, method):
    assert get_by_asgi(f"/frames/{token.token}/0", method=method)[0] == 404


def test_head_tells_what_get_would_send_and_sends_nothing(token):
    path = f"/frames/{token.token}/1"
    _, wanted, body = get_by_asgi(path)
    assert wanted["content-length"] == str(len(body))
    client = Client()
    client.cookies["equipoise_session"] = SESSION
    response = client.head(path)
    for status, headers, sent in (
        get_by_asgi(path, method="HEAD"),
        (response.status_code, {n.lower(): v for n, v in response.items()}, response.content),
    ):
        assert (status, sent) == (200, b"")
        assert {name: headers[name] for name in wanted} == wanted
    assert get_by_asgi(path, method="HEAD", cookie="")[0] == 404


def test_every_refusal_is_the_same(token):
    asset_tokens_close(READING)
    answers = {
        repr(answer)
        for answer in (
            get_by_asgi(f"/frames/{token.token}/0"),
            get_by_asgi("/frames/unknown-unknown/0"),
            get_by_asgi("/frames/"),
            get_by_asgi("/api/v1/trials"),
            get_by_asgi(f"/frames/{token.token}/0", cookie=""),
        )
    }
    assert answers == {
        "(404, {'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'content-length': '0'}, b'')"
    }


def test_ranges_are_ignored(token):
    status, headers, body = get_by_asgi(f"/frames/{token.token}/0", range="bytes=0-9")
    assert status == 200
    assert len(body) == int(headers["content-length"]) > 10


def test_a_frame_that_the_browser_has_is_not_sent_again(token):
    etag = frame_etag(token.token, 1)
    for door in (get_by_asgi, get_by_django):
        status, headers, body = door(f"/frames/{token.token}/1", if_none_match=f'"x", "{etag}"')
        assert (status, body, headers["etag"]) == (304, b"", f'"{etag}"')
    assert get_by_asgi(f"/frames/{token.token}/1", cookie="", if_none_match=f'"{etag}"')[0] == 404


def test_expired_tokens_die_though_they_are_cached(token):
    assert get_by_asgi(f"/frames/{token.token}/0")[0] == 200
    late = timezone.now() + timedelta(minutes=11)
    assert frame_locate(token.token, 0, session_key=SESSION, now=late) is None
    assert frame_locate(token.token, 0, session_key=SESSION, now=timezone.now()) is not None


def test_a_closed_token_lives_on_for_five_seconds_at_most(token):
    seconds = [0.0]
    server = FrameServer(WindowCache(clock=lambda: seconds[0]))
    path = f"/frames/{token.token}/0"
    assert server.answer(path=path, session_key=SESSION).status == 200
    assert asset_tokens_close(READING) == 1
    seconds[0] = 4.99
    assert server.answer(path=path, session_key=SESSION).status == 200
    seconds[0] = 5.0
    assert server.answer(path=path, session_key=SESSION).status == 404


def test_a_cached_token_needs_no_database(token, django_assert_num_queries):
    server = FrameServer()
    path = f"/frames/{token.token}/"
    with django_assert_num_queries(1):
        assert [server.answer(path=f"{path}{n}", session_key=SESSION).status for n in (0, 1, 2)] == [
            200,
            200,
            200,
        ]


def test_cache_forgets_the_oldest(monkeypatch, token):
    monkeypatch.setattr(frame_server, "MAX_CACHED_TOKENS", 1)
    cache = WindowCache()
    server = FrameServer(cache)
    first = server.window(token.token)
    assert cache.get(token.token) == first
    other = asset_token_issue(
        token.volume, first_frame=0, last_frame=0, session_key=SESSION, expires_at=token.expires_at
    )
    server.window(other.token)
    assert cache.get(token.token) is None


def test_a_missing_pack_is_not_found_and_no_crash(token, store):
    store.delete(token.volume.key)
    assert get_by_asgi(f"/frames/{token.token}/0")[0] == 404


def test_signing_out_ends_the_sessions_tokens(token):
    assert asset_tokens_close_session("another") == 0
    assert asset_tokens_close_session(SESSION) == 1
    assert frame_locate(token.token, 0, session_key=SESSION, now=timezone.now()) is None


def test_tokens_are_random_and_hold_no_session_key(token):
    assert len(token.token) == 22
    assert SESSION not in str(AssetToken.objects.values().get())


def test_expired_tokens_are_swept(token):
    assert asset_tokens_sweep() == 0
    assert asset_tokens_sweep(now=timezone.now() + timedelta(hours=1)) == 1


@pytest.mark.parametrize("first, last", [(-1, 2), (3, 2), (0, 6)])
def test_windows_outside_the_volume_are_refused(stored, first, last):
    with pytest.raises(ValueError, match="are not inside a volume of 6"):
        asset_token_issue(
            stored, first_frame=first, last_frame=last, session_key=SESSION, expires_at=timezone.now()
        )
    assert AssetToken.objects.count() == 0


def test_a_token_needs_a_session(stored):
    with pytest.raises(ValueError, match="a token belongs to a session"):
        asset_token_issue(stored, first_frame=0, last_frame=0, session_key="", expires_at=timezone.now())


@pytest.mark.parametrize(
    "path",
    [
        "/frames/abc/0",
        "/frames/abcdefgh/0/",
        "/frames/abcdefgh/00",
        "/frames/abcdefgh/12345678",
        "/frames/a..h/../0",
    ],
)
def test_paths_that_are_no_frames(path):
    assert parse_path(path) is None


def test_lifespan_is_answered():
    sent: list[str] = []
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, Any]:
        return {"type": next(messages)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    async_to_sync(frames_asgi_app)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
