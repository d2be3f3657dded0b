"""Electronic signatures: bound to the person, the moment, the meaning and the record; none is cut out or moved."""

import json
import zipfile
from typing import Any

import pyotp
import pytest
from django.db import DatabaseError, transaction
from django.db.models import F
from django.test import Client
from django.utils import timezone
from typer.testing import CliRunner

from equipoise.accounts.models import Account, TotpDevice
from equipoise.accounts.sealing import seal
from equipoise.accounts.signing import Signer, SigningProof, signer_at_machine
from equipoise.archive.storage import default_store
from equipoise.audit.guards import guards_lifted
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.cli import audit as audit_command
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from trials.domain.signatures import Meaning, report_sha256
from trials.domain.states import TrialAction
from trials.models import ProtocolVersion, Questionnaire, Signature, SignatureName, StoredBundle
from trials.reports.bundle import bundle_make
from trials.selectors.signatures import signature_problems
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def client_of(account: Any) -> Client:
    client = Client()
    client.force_login(account)
    return client


def send(client: Client, path: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = client.post(f"/api/v1/trials/{path}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def lock(world: Any, client: Client, status: int = 200, **proof: str) -> Any:
    body = {"reason": "Ready", "waiver": "A test needs no rehearsal.", **proof}
    return send(client, f"{world.trial.id}/transitions/lock", body, status)


def finished(world: Any) -> Any:
    factory.read_everything(world.enrol())
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    return world


def test_lock_is_signed_with_name_time_meaning_and_the_protocols_hash():
    world = factory.preference_world()
    client = client_of(world.administrator)
    assert lock(world, client, 422)["data"]["fields"].keys() == {"/password"}
    lock(world, client, 422, password="not this one")
    assert not Signature.objects.exists()
    lock(world, client, password=PASSWORD)

    (told,) = client.get(f"/api/v1/trials/{world.trial.id}/signatures").json()["results"]
    version = ProtocolVersion.objects.get(trial=world.trial)
    assert told["name"] == world.administrator.display_name
    assert told["words"] == "approved the protocol for lock"
    assert (told["record"], told["record_sha256"]) == ("version 1 of the protocol", version.sha256)
    assert told["current"] is True
    assert told["signed_at"].endswith("Z")
    entry = AuditEntry.objects.get(kind="signature:made")
    assert entry.after["signature_sha256"] == told["sha256"]
    assert world.administrator.display_name not in json.dumps(entry.after)
    assert signature_problems(world.trial) == []
    assert chain_verify(str(world.trial.id)).is_intact


def test_lock_is_refused_where_the_draft_is_not_the_one_that_was_seen():
    world = factory.preference_world()
    client, base = client_of(world.administrator), f"/api/v1/trials/{world.trial.id}"
    seen = client.get(f"{base}/protocol")
    document = {**seen.json()["document"], "summary": "Somebody else wrote this meanwhile"}
    stored = client.put(
        f"{base}/protocol",
        {"document": document},
        content_type="application/json",
        headers={"If-Match": seen.headers["ETag"]},
    )
    assert stored.status_code == 200, stored.content
    body = {"reason": "Ready", "waiver": "A test needs no rehearsal.", "password": PASSWORD}

    def lock_with(etag: str) -> Any:
        path, kind = f"{base}/transitions/lock", "application/json"
        return client.post(path, body, content_type=kind, headers={"If-Match": etag})

    refused = lock_with(seen.headers["ETag"])
    assert (refused.status_code, refused.json()["code"]) == (412, "version_conflict")
    assert not Signature.objects.exists()
    assert ProtocolVersion.objects.get().locked_at is None
    assert lock_with(stored.headers["ETag"]).status_code == 200
    assert Signature.objects.get().record_sha256 == ProtocolVersion.objects.get().sha256


def test_data_lock_and_unblinding_are_refused_where_what_they_sign_is_not_what_was_seen():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    world.act(TrialAction.CLOSE)
    client, base = client_of(world.administrator), f"{world.trial.id}/transitions"

    def seen(action: str) -> str:
        return str(client.get(f"/api/v1/trials/{base}/{action}").json()["record_sha256"])

    first = seen("data-lock")
    Questionnaire.objects.update(answers={"speciality": "radiation_oncology"})
    body = {"reason": "Done", "password": PASSWORD}
    refused = send(client, f"{base}/data-lock", {**body, "record_sha256": first}, 412)
    assert refused["detail"] == "The data were changed since you looked at what you sign. Look at it again."
    world.trial.refresh_from_db()
    assert (world.trial.state, Signature.objects.exists()) == ("closed", False)
    assert client.get(f"/api/v1/trials/{base}/unblind").status_code == 409
    assert client.get(f"/api/v1/trials/{base}/abandon").status_code == 404
    send(client, f"{base}/data-lock", {**body, "record_sha256": seen("data-lock")})
    world.trial.refresh_from_db()
    assert Signature.objects.get().record_sha256 == world.trial.data_sha256 != first
    send(client, f"{base}/unblind", {**body, "record_sha256": "0" * 64}, 412)
    send(client, f"{base}/unblind", {**body, "record_sha256": seen("unblind")})


def test_whoever_has_a_second_factor_signs_with_it():
    world = factory.preference_world()
    secret = pyotp.random_base32()
    TotpDevice.objects.create(account=world.administrator, sealed_secret=seal("totp", secret))
    client = client_of(world.administrator)
    asked = lock(world, client, 422, password=PASSWORD)
    assert asked["data"]["fields"].keys() == {"/code"}
    lock(world, client, 422, password=PASSWORD, code="000000")
    code = pyotp.TOTP(secret).now()
    lock(world, client, password=PASSWORD, code=code)
    assert Signature.objects.get().factors == ["password", "totp"]


def test_unblinding_and_report_are_signed_and_printed_in_report_and_bundle():
    world = finished(factory.open_world())
    client, base = client_of(world.administrator), str(world.trial.id)
    send(client, f"{base}/transitions/unblind", {"reason": "Done", "password": PASSWORD})
    world.trial.refresh_from_db()
    bundle_make(world.trial).keep()
    listed = client.get(f"/api/v1/trials/{base}/signatures").json()
    assert [one["words"] for one in listed["results"]] == ["released the allocation"]
    report = next(one for one in listed["signable"] if one["meaning"] == "report_approved")
    body = {"meaning": "report_approved", "record_sha256": report["record_sha256"], "password": PASSWORD}
    send(client, f"{base}/signatures", body, 201)
    send(client, f"{base}/signatures", body, 409)

    shown = client.get(f"/api/v1/trials/{base}/export/report.html").content.decode()
    assert "reviewed and approved the report" in shown
    assert shown.count(world.administrator.display_name) == 2
    assert report_sha256(shown) == report["record_sha256"]

    # The bundle that is made now holds the signed report, and its content is still the one that was signed.
    assert client.get(f"/api/v1/trials/{base}/bundle").json()["current"] is False
    bundle_make(world.trial).keep()
    kept = StoredBundle.objects.get()
    assert kept.report_sha256 == report["record_sha256"]
    with default_store().open(kept.files_key) as source, zipfile.ZipFile(source) as files:
        assert "reviewed and approved the report" in files.read("report.html").decode()
        exported = json.loads(files.read("signatures.json"))
    assert [one["words"] for one in exported] == [
        "released the allocation",
        "reviewed and approved the report",
    ]
    assert signature_problems(world.trial) == []
    send(client, f"{base}/transitions/archive", {"password": PASSWORD})


def test_what_changes_under_a_signature_is_found():
    world = factory.preference_world()
    lock(world, client_of(world.administrator), password=PASSWORD)
    version = ProtocolVersion.objects.get(trial=world.trial)
    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        Signature.objects.update(record_sha256="0" * 64)

    with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
        SignatureName.objects.update(name="Somebody else")

    def found(change: Any) -> list[str]:
        with guards_lifted(), transaction.atomic():
            change()
            problems = signature_problems(world.trial)
            transaction.set_rollback(True)
        return [one.partition(": ")[2] for one in problems]

    document = {**version.document, "title": "Another"}
    changed = found(lambda: ProtocolVersion.objects.filter(id=version.id).update(document=document))
    assert changed == ["version 1 of the protocol was changed since it was signed."]
    moved = found(lambda: Signature.objects.update(record_sha256="0" * 64))
    assert moved[0] == "it is not what the audit trail says; it was altered or added."
    renamed = found(lambda: SignatureName.objects.update(name="Somebody else"))
    assert renamed == ["the printed name was altered."]
    removed = found(SignatureName.objects.all().delete)
    assert removed == ["the printed name was removed, and the signer was not erased."]

    def erase() -> None:
        SignatureName.objects.all().delete()
        Account.objects.filter(id=world.administrator.id).update(erased_at=timezone.now())

    assert found(erase) == []

    def cut() -> None:
        SignatureName.objects.all().delete()
        Signature.objects.all().delete()

    assert found(cut) == ["the audit trail names it, and it is not there."]
    assert signature_problems(world.trial) == []


def test_version_that_restores_an_earlier_one_is_signed_again():
    world = factory.preference_world()
    client, base = client_of(world.administrator), str(world.trial.id)
    lock(world, client, password=PASSWORD)
    first = ProtocolVersion.objects.get(trial=world.trial)
    for document in ({**first.document, "summary": "Another summary"}, first.document):
        tag = client.get(f"/api/v1/trials/{base}/protocol").headers["ETag"]
        body = {"document": document, "reason": "The summary was put right", "password": PASSWORD}
        answer = client.post(
            f"/api/v1/trials/{base}/protocol/amendments",
            body,
            content_type="application/json",
            headers={"If-Match": tag},
        )
        assert answer.status_code == 201, answer.content

    told = client.get(f"/api/v1/trials/{base}/signatures").json()
    assert [(one["record"], one["current"]) for one in told["results"]] == [
        ("version 1 of the protocol", False),
        ("version 2 of the protocol", False),
        ("version 3 of the protocol", True),
    ]
    assert told["results"][0]["record_sha256"] == told["results"][2]["record_sha256"]
    assert told["signable"] == []
    again = {"meaning": "protocol_approved", "record_sha256": first.sha256, "password": PASSWORD}
    send(client, f"{base}/signatures", again, 409)
    assert signature_problems(world.trial) == []


def test_nobody_signs_without_the_right_or_what_they_have_not_seen():
    world = factory.open_world()
    monitor = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, monitor, Role.BLINDED_MONITOR, actor=world.actor)
    sha256 = ProtocolVersion.objects.get(trial=world.trial).sha256
    body = {"meaning": "protocol_approved", "record_sha256": sha256, "password": PASSWORD}
    path = f"{world.trial.id}/signatures"
    send(client_of(monitor), path, body, 403)
    client = client_of(world.administrator)
    send(client, path, {**body, "record_sha256": "0" * 64}, 412)
    for early in ("data_approved", "allocation_released", "report_approved"):
        send(client, path, {**body, "meaning": early}, 409)
    assert not Signature.objects.exists()
    assert send(client, path, body, 201)["signable"] == []


def test_protocol_and_data_are_approved_before_what_follows_them():
    world = finished(factory.open_world())
    client, path = client_of(world.administrator), f"{world.trial.id}/signatures"
    protocol = ProtocolVersion.objects.get(trial=world.trial)
    world.trial.refresh_from_db()

    def offered() -> list[str]:
        return [one["meaning"] for one in client.get(f"/api/v1/trials/{path}").json()["signable"]]

    def refused(meaning: str, sha256: str) -> None:
        send(client, path, {"meaning": meaning, "record_sha256": sha256, "password": PASSWORD}, 409)

    assert offered() == ["data_approved"]
    refused("protocol_approved", protocol.sha256)
    world.act(TrialAction.UNBLIND)
    assert offered() == ["allocation_released"]
    refused("data_approved", world.trial.data_sha256)
    assert not Signature.objects.exists()


def test_command_line_signs_alike(monkeypatch):
    for module in (command, trial_shared):
        monkeypatch.setattr(module, "start" if module is trial_shared else "_start", lambda: None)
    monkeypatch.setattr("equipoise.config.start.django_start", lambda: None)
    world = factory.preference_world()
    run = CliRunner()
    who = ["--as", world.administrator.email]
    words = ["--reason", "Ready", "--waiver", "A test needs no rehearsal."]
    wrong = run.invoke(command.app, ["lock", world.trial.slug, *who, *words, "--sign"], input="wrong\n")
    assert wrong.exit_code != 0
    done = run.invoke(command.app, ["lock", world.trial.slug, *who, *words], input="")
    assert done.exit_code == 0, done.output
    assert not Signature.objects.exists()
    asked = run.invoke(
        command.app, ["sign", world.trial.slug, "protocol_approved", *who], input=f"{PASSWORD}\n"
    )
    assert asked.exit_code == 0, asked.output
    assert Signature.objects.get().meaning == "protocol_approved"
    assert AuditEntry.objects.get(kind="signature:made").origin == "cli"
    listed = run.invoke(command.app, ["signatures", world.trial.slug, *who])
    assert f"{world.administrator.display_name} approved the protocol for lock" in listed.output
    verified = run.invoke(audit_command.app, ["verify"])
    assert f"{world.trial.slug}: 1 signatures, 0 problems" in verified.output


def test_command_line_shows_what_is_signed_before_it_asks(monkeypatch):
    for module in (command, trial_shared):
        monkeypatch.setattr(module, "start" if module is trial_shared else "_start", lambda: None)
    world = factory.preference_world()
    run = CliRunner()
    who = [world.trial.slug, "--as", world.administrator.email, "--reason", "Ready"]
    name = world.administrator.display_name

    def shown(step: str, *more: str, proof: str) -> str:
        done = run.invoke(command.app, [step, *who, *more, "--sign"], input=f"{proof}\n")
        return str(done.output).splitlines()[0]

    waiver = ("--waiver", "A test needs no rehearsal.")
    told = (
        f"{name} approved the protocol for lock: version 1 of the protocol, revision "
        f"{world.trial.protocol_versions.get().revision}; its SHA-256 is made by the lock"
    )
    assert [shown("lock", *waiver, proof=proof) for proof in ("wrong", PASSWORD)] == [told, told]
    world.trial.refresh_from_db()
    for action in (TrialAction.OPEN, TrialAction.CLOSE):
        world.act(action)
    refused, signed = (shown("data-lock", proof=proof) for proof in ("wrong", PASSWORD))
    world.trial.refresh_from_db()
    sha256 = world.trial.data_sha256
    words = Meaning.DATA_APPROVED.words
    assert refused == signed == f"{name} {words}: the data at data lock, SHA-256 {sha256}"
    allocation = world.trial.sealed_seed.allocation_sha256
    words = Meaning.ALLOCATION_RELEASED.words
    assert shown("unblind", proof=PASSWORD) == f"{name} {words}: the allocation, SHA-256 {allocation}"
    assert [one.record_sha256 for one in Signature.objects.order_by("signed_at")][1:] == [sha256, allocation]


def test_command_line_signs_nothing_else_than_it_has_shown(monkeypatch):
    for module in (command, trial_shared):
        monkeypatch.setattr(module, "start" if module is trial_shared else "_start", lambda: None)
    world = factory.preference_world()
    who = [world.trial.slug, "--as", world.administrator.email, "--reason", "Ready"]

    def changed_meanwhile(account: Account) -> Signer:
        world.trial.protocol_versions.update(revision=F("revision") + 1)
        return signer_at_machine(account, SigningProof(password=PASSWORD))

    monkeypatch.setattr(command, "signer_asked", changed_meanwhile)
    words = ["--waiver", "A test needs no rehearsal.", "--sign"]
    done = CliRunner().invoke(command.app, ["lock", *who, *words])
    assert "changed since you looked" in str(done.exception)
    world.trial.refresh_from_db()
    assert (world.trial.state, Signature.objects.count()) == ("draft", 0)
