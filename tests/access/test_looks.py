"""Whoever looks at images, sources, outcomes or results leaves an entry; every address below a trial is declared."""

import io
import zipfile
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from equipoise.archive.storage import StoreKind, default_store
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from tests.access.matrix import DOORS, PEOPLE, SHOWS, SHOWS_NEITHER, T
from tests.access.world import Side, side
from trials.models import AlgorithmResult, AlgorithmVersion, Analysis, ExternalTable, Participant, Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def with_things_to_see(first: Side) -> Side:
    """Give the side what its addresses show: an analysis with its file, an imported table, images by their names."""
    trial = first.trial
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("results.json", "{}")
    stored = default_store().write(
        lambda sink: sink.write(content.getvalue()),
        institute_id=trial.institute_id,
        trial_id=trial.id,
        kind=StoreKind.EXPORTS,
    )
    Analysis.objects.filter(trial=trial).update(files_key=stored.key, state="succeeded", results={})
    ExternalTable.objects.create(
        trial=trial,
        rows={"columns": [], "rows": []},
        row_count=0,
        sha256="0" * 64,
        imported_at=trial.created_at,
    )
    algorithm = Participant.objects.create(
        trial=trial, code="A-01", kind="algorithm", joined_at=trial.created_at
    )
    AlgorithmVersion.objects.create(
        participant=algorithm,
        trial=trial,
        source="algorithm",
        name="Model",
        version="1",
        weights_sha256="0" * 64,
    )
    AlgorithmResult.objects.create(
        trial=trial, participant=algorithm, case_id=first.things["case_id"], task="preference",
        key_sha256="0" * 64, content_sha256="0" * 64, failure_code="crashed", received_at=trial.created_at,
    )  # fmt: skip
    client = client_of(first, "D")
    images = client.get(f"/api/v1/trials/{trial.id}/dicomweb/instances").json()
    image = next(one for one in images if one["00080060"]["Value"] == ["CT"])
    first.things |= {
        "study_uid": image["0020000D"]["Value"][0],
        "series_uid": image["0020000E"]["Value"][0],
        "instance_uid": image["00080018"]["Value"][0],
    }
    return first


def client_of(one: Side, letter: str) -> Client:
    client = Client()
    client.force_login(one.people[letter])
    return client


def address_of(endpoint: str, things: dict[str, Any]) -> str:
    path = endpoint.removeprefix("GET ")
    for name, value in things.items():
        for kind in ("uuid", "str", "int", "path", "slug"):
            path = path.replace(f"<{kind}:{name}>", str(value))
    return f"/api/v1/{path}"


def test_every_address_below_a_trial_shows_or_does_not():
    below = {one for one in DOORS if one.startswith(f"GET {T}")}
    assert below == set(SHOWS) | SHOWS_NEITHER
    assert not set(SHOWS) & SHOWS_NEITHER


def test_a_look_at_what_is_shown_leaves_an_entry_once():
    first = with_things_to_see(side("first"))
    trial = first.trial
    Trial.objects.filter(id=trial.id).update(state="unblinded")
    wrong = []
    for endpoint, kind in SHOWS.items():
        letter = next(one for one in DOORS[endpoint].who if one in PEOPLE)
        name = "audit.csv" if "/audit/" in endpoint else "readings.csv"
        address = address_of(endpoint, {**first.things, "name": name})
        cache.clear()  # as if an hour had passed since the last look
        entries = AuditEntry.objects.filter(chain=str(trial.id), kind=kind, actor_id=first.people[letter].id)
        before = entries.count()
        answer = client_of(first, letter).get(address)
        if answer.status_code != 200 or entries.count() != before + 1:
            wrong.append(f"{endpoint}: {answer.status_code}, {entries.count() - before} entries of {kind}")
    assert wrong == []
    assert chain_verify(str(trial.id)).is_intact


def test_a_page_of_pictures_is_one_look_an_hour_and_state_and_person():
    first = side("first")
    trial, case_id = first.trial, first.things["case_id"]
    looks = AuditEntry.objects.filter(chain=str(trial.id), kind="case:viewed", subject=f"case:{case_id}")
    address = f"/api/v1/trials/{trial.id}/cases/{case_id}"
    client = client_of(first, "A")
    for path in ("thumbnail.png", "frames/0.png", "frames/1.png", "thumbnail.png"):
        assert client.get(f"{address}/{path}").status_code == 200
    assert [look.after for look in looks] == [{"state": "open"}]
    client_of(first, "S").get(f"{address}/thumbnail.png")
    Trial.objects.filter(id=trial.id).update(state="closed")
    client.get(f"{address}/thumbnail.png")
    assert [look.actor_id for look in looks.order_by("sequence")] == [
        first.people["A"].id,
        first.people["S"].id,
        first.people["A"].id,
    ]


def test_what_is_not_shown_leaves_no_look():
    first = side("first")
    client = client_of(first, "A")
    base = f"/api/v1/trials/{first.trial.id}"
    before = AuditEntry.objects.filter(chain=str(first.trial.id)).count()
    assert client.get(f"{base}/analyses").json()["results"] == []
    assert client.get(f"{base}/allocation").json()["seed"] is None
    assert client.get(f"{base}/cases/{first.things['item_id']}/thumbnail.png").status_code == 404
    kinds = AuditEntry.objects.filter(chain=str(first.trial.id)).order_by("sequence")[before:]
    assert {entry.kind for entry in kinds} <= {"refusal:recorded"}
