"""The API kit: who may, what an error looks like, pages, idempotency, entity tags."""

import threading

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from equipoise.accounts.models import Institute
from equipoise.api.idempotency import idempotent_answers_sweep
from equipoise.api.models import IdempotentAnswer
from equipoise.audit.models import RefusalCount
from tests.factories.accounts import AccountFactory, InstituteFactory, create_token

pytestmark = [pytest.mark.django_db, pytest.mark.db, pytest.mark.urls("tests.api.kit_urls")]


@pytest.fixture
def person():
    client = Client()
    client.account = AccountFactory.create(institute=None)
    client.force_login(client.account)
    return client


@pytest.fixture
def site_administrator():
    client = Client()
    client.force_login(AccountFactory.create(institute=None, is_site_administrator=True))
    return client


def post(client, path, body, **headers):
    return client.post(path, body, content_type="application/json", headers=headers)


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def test_public_view_answers_anybody(client):
    assert client.get("/public").json() == {"hello": "anybody"}


def test_view_for_oneself_needs_somebody_signed_in(client, person):
    assert code_of(client.get("/self")) == (401, "not_signed_in")
    assert person.get("/self").json() == {"id": str(person.account.pk)}


def test_site_permission_belongs_to_the_site_administrator(client, person, site_administrator):
    _, secret = create_token()
    assert code_of(client.post("/self")) == (401, "not_signed_in")
    assert code_of(person.post("/self")) == (403, "permission_denied")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert code_of(client.post("/self", headers=bearer)) == (403, "permission_denied")
    assert site_administrator.post("/self").json() == {"managed": True}


@pytest.mark.parametrize("path", ["/trial", "/trials/01890000-0000-7000-8000-000000000001"])
def test_view_of_a_trial_that_does_not_authorize_refuses_everybody(client, person, site_administrator, path):
    assert code_of(client.get(path)) == (401, "not_signed_in")
    for somebody in (person, site_administrator):
        answer = somebody.get(path)
        assert code_of(answer) == (403, "permission_denied")
        assert "leaked" not in answer.content.decode()


def test_view_outside_the_kit_refuses_everybody(client, site_administrator):
    assert client.get("/plain").status_code in (401, 403)
    assert site_administrator.get("/plain").status_code == 403


def test_view_without_a_declared_permission_serves_nobody(site_administrator):
    with pytest.raises(AttributeError, match="required_permission"):
        site_administrator.get("/undeclared")


def test_refusals_are_counted(person):
    person.get("/trial")
    person.get("/errors/absent")
    person.get("/errors/domain")
    assert sum(RefusalCount.objects.values_list("count", flat=True)) == 2


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        (
            "domain",
            409,
            {
                "code": "state_conflict",
                "detail": "It is locked.",
                "data": {"state": "locked", "allowed": ["open"]},
            },
        ),
        ("absent", 404, {"code": "not_found", "detail": "There is no such thing.", "data": {}}),
        ("denied", 403, {"code": "permission_denied", "detail": "You may not do this.", "data": {}}),
        ("big", 413, {"code": "too_large", "detail": "The request is too large.", "data": {}}),
        (
            "django",
            422,
            {
                "code": "validation_failed",
                "detail": "Too short.",
                "data": {"fields": {"/name": [{"code": "invalid", "message": "Too short."}]}},
            },
        ),
        (
            "throttled",
            429,
            {
                "code": "rate_limited",
                "detail": "Too many requests; wait a little.",
                "data": {"retry_after_s": 7},
            },
        ),
    ],
)
def test_every_error_has_one_shape(client, name, status, body):
    answer = client.get(f"/errors/{name}")
    assert (answer.status_code, answer.json()) == (status, body)
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_error_of_ours_says_nothing_about_itself(client):
    client.raise_request_exception = False
    answer = client.get("/errors/ours")
    assert code_of(answer) == (500, "internal_error")
    assert "secret" not in answer.content.decode()


def test_wrong_fields_are_named_by_json_pointer(client):
    body = {"title": "long", "rows": [{"name": "a"}, {}, {"name": ""}]}
    answer = post(client, "/errors/x", body)
    assert answer.status_code == 400
    assert {
        pointer: [e["code"] for e in errors] for pointer, errors in answer.json()["data"]["fields"].items()
    } == {
        "/title": ["max_length"],
        "/rows/1/name": ["required"],
        "/rows/2/name": ["blank"],
    }


def test_error_of_the_whole_body_has_the_empty_pointer(client):
    answer = post(client, "/errors/x", {"title": "bad", "rows": []})
    assert answer.json()["data"]["fields"] == {
        "": [{"code": "invalid", "message": "The title and the rows do not fit."}]
    }


def test_other_media_types_methods_and_broken_json_are_refused_in_the_same_shape(client):
    assert code_of(client.post("/errors/x", "a=1", content_type="application/x-www-form-urlencoded")) == (
        415,
        "unsupported_media_type",
    )
    assert code_of(client.delete("/errors/x")) == (405, "method_not_allowed")
    assert code_of(client.options("/errors/x")) == (405, "method_not_allowed")
    assert code_of(client.post("/errors/x", "{", content_type="application/json")) == (
        400,
        "validation_failed",
    )
    assert code_of(client.get("/nowhere")) == (404, "not_found")


def test_list_comes_in_pages_in_the_order_of_ids(person):
    # Ids of one millisecond are in no order among themselves.
    names = [i.name for i in sorted((InstituteFactory.create() for _ in range(5)), key=lambda i: i.pk)]
    first = person.get("/institutes?page_size=2").json()
    second = person.get(first["next"]).json()
    third = person.get(second["next"]).json()
    assert [[row["name"] for row in page["results"]] for page in (first, second, third)] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    assert (first["previous"], third["next"]) == (None, None)
    assert set(first) == {"results", "next", "previous"}


def test_same_key_and_body_act_once_and_answer_alike(person):
    first = post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"})
    again = post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Location"] == "/x"
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert Institute.objects.count() == 1


def test_same_key_with_another_body_is_a_conflict(person):
    post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"})
    answer = post(person, "/institutes", {"name": "b"}, **{"Idempotency-Key": "k1"})
    assert code_of(answer) == (409, "idempotency_conflict")
    assert Institute.objects.count() == 1


def test_key_of_another_person_is_another_key(person, site_administrator):
    post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"})
    assert (
        post(site_administrator, "/institutes", {"name": "b"}, **{"Idempotency-Key": "k1"}).status_code == 201
    )
    assert Institute.objects.count() == 2


def test_refused_request_leaves_its_key_free(person):
    refused = post(person, "/institutes", {"name": "a", "fail": True}, **{"Idempotency-Key": "k1"})
    assert code_of(refused) == (409, "state_conflict")
    assert (Institute.objects.count(), IdempotentAnswer.objects.count()) == (0, 0)
    assert post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"}).status_code == 201


def test_key_that_is_none_is_refused(person):
    assert code_of(post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "x" * 129})) == (
        400,
        "validation_failed",
    )
    assert Institute.objects.count() == 0


def test_old_answers_are_forgotten(person):
    post(person, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"})
    assert idempotent_answers_sweep() == 0
    IdempotentAnswer.objects.update(created_at=timezone.now() - timezone.timedelta(hours=25))
    assert idempotent_answers_sweep() == 1


def test_racing_requests_with_one_key_act_once(flushing_db):
    account = AccountFactory.create(institute=None)
    answers = []

    def send():
        client = Client()
        client.force_login(account)
        answers.append(post(client, "/institutes", {"name": "a"}, **{"Idempotency-Key": "k1"}))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Institute.objects.count() == 1


def test_version_the_caller_has_is_not_sent_again(client):
    first = client.get("/versioned")
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = client.get("/versioned", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/versioned", headers={"If-None-Match": '"other"'}).status_code == 200


def test_edit_of_an_old_version_is_refused(client):
    etag = client.get("/versioned").headers["ETag"]

    def edit(**headers):
        return Client().put("/versioned", {}, content_type="application/json", headers=headers)

    assert edit(**{"If-Match": etag}).json() == {"edited": True}
    for headers in ({}, {"If-Match": '"old"'}):
        answer = edit(**headers)
        assert code_of(answer) == (412, "version_conflict")
        assert answer.json()["data"] == {"current": etag}


def away(*_):
    raise OperationalError("the connection is lost")


@pytest.mark.parametrize(
    "place", ["equipoise.accounts.middleware.session_has_expired", "tests.api.kit_urls.SelfView.get"]
)
def test_database_that_is_away_is_a_sentence_and_worth_another_try(person, monkeypatch, place):
    """Whether the middleware notices it first, or the view."""
    monkeypatch.setattr(place, away)
    person.raise_request_exception = False
    answer = person.get("/self")
    assert code_of(answer) == (503, "internal_error")
    assert answer.json()["detail"] == "The database did not answer; try again."
    assert answer.headers["Retry-After"] == "5"
