"""The protocol as one document: amended, compared, written out and taken on by another trial, by API and command."""

import copy

import pytest
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from tests.trials.api.test_administration import API, send, signed_in
from trials.domain.protocol.document import to_yaml
from trials.domain.states import TrialAction
from trials.models import ProtocolVersion, Signature, Trial
from trials.reports.report_flow import deviations_section
from trials.selectors.protocol import protocol_locked
from trials.selectors.report import report_facts
from trials.services.invitation import membership_create
from trials.services.participant import participant_consent
from trials.services.protocol import protocol_amend

pytestmark = [pytest.mark.django_db, pytest.mark.db]

WHY = "The registry has given the number"


def document_of(world, **changes):
    document = copy.deepcopy(protocol_locked(world.trial).document)
    for path, value in changes.items():
        *parents, last = path.split("__")
        holder = document
        for name in parents:
            holder = holder[int(name)] if isinstance(holder, list) else holder[name]
        holder[last] = value
    return document


def fetch(client, path, status=200):
    response = client.get(f"{API}{path}")
    assert response.status_code == status, response.content
    return response.json()


def amended(world, document, *, reason=WHY):
    return protocol_amend(
        world.trial,
        text=None,
        document=document,
        reason=reason,
        amends=protocol_locked(world.trial).version,
        actor=world.actor,
    )


def test_amendment_is_checked_made_and_shown_in_every_place():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    client = signed_in(world.administrator)
    base = f"/trials/{world.trial.id}/protocol"
    first = protocol_locked(world.trial)
    document = document_of(
        world, registration={"registry": "DRKS", "number": "DRKS00012345", "none_because": None}
    )
    told = send(client, "post", f"{base}/amendments/check", {"document": document})
    assert told["allowed"]
    assert told["refusals"] == []
    assert {one["pointer"] for one in told["changes"]} <= {
        f"/registration/{name}" for name in ("registry", "number", "none_because")
    }
    assert ProtocolVersion.objects.count() == 1
    body = {"document": document, "reason": WHY}
    send(
        client, "post", f"{base}/amendments", body, status=422
    )  # an amendment is signed, with the password each time
    body["password"] = PASSWORD
    send(client, "post", f"{base}/amendments", body, status=412)
    tag = client.get(f"{API}{base}").headers["ETag"]
    made = send(client, "post", f"{base}/amendments", body, status=201, **{"If-Match": tag})
    assert (made["version"], made["locked"]) == (2, True)
    assert Signature.objects.get().record == "version 2 of the protocol"
    send(client, "post", f"{base}/amendments", body, status=412, **{"If-Match": tag})
    second = protocol_locked(world.trial)
    assert second.reason == WHY
    assert set(reader.readings.values_list("protocol__version", flat=True)) == {1}
    entry = AuditEntry.objects.get(kind="protocol:amended")
    assert entry.before == {"version": 1, "protocol_sha256": first.sha256}
    assert entry.after["protocol_sha256"] == second.sha256 == made["sha256"]
    changes = fetch(client, f"{base}/changes?older=1")
    assert (changes["older"], changes["newer"]) == (1, 2)
    assert [one["words"] for one in changes["changes"]] == [one["words"] for one in told["changes"]]
    assert fetch(client, f"{base}/versions/2")["document"] == second.document
    fetch(client, f"{base}/versions/3", status=404)
    fetch(client, f"{base}/changes", status=404)
    fetch(client, f"{base}/changes?older=x", status=400)
    page = str(deviations_section(report_facts(world.trial)))
    assert WHY in page
    assert changes["changes"][0]["words"].split(":")[0] in page


@pytest.mark.parametrize("role", [Role.DATA_MANAGER, Role.BLINDED_MONITOR, Role.UNBLINDED_STATISTICIAN])
def test_only_an_administrator_amends(role):
    world = factory.open_world()
    account = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, account, role, actor=world.actor)
    body = {"document": document_of(world, summary="x"), "reason": WHY, "password": PASSWORD}
    send(signed_in(account), "post", f"/trials/{world.trial.id}/protocol/amendments", body, status=403)
    assert ProtocolVersion.objects.count() == 1


def test_what_touches_readings_is_refused_whole_and_named():
    world = factory.open_world()
    world.enrol()
    document = document_of(world, summary="Fine", instructions={"text": "Other words"}, seeds__analysis=4)
    with pytest.raises(ValidationFailedError) as refused:
        amended(world, document)
    assert set(refused.value.data["fields"]) == {"/instructions/text", "/seeds/analysis"}
    with pytest.raises(ValidationFailedError, match="Nothing differs"):
        amended(world, document_of(world))
    with pytest.raises(ValidationFailedError, match="Say why"):
        amended(world, document_of(world, summary="Fine"), reason=" ")
    with pytest.raises(ValidationFailedError, match="ethics"):
        amended(world, document_of(world, ethics={}))
    assert ProtocolVersion.objects.count() == 1
    assert not AuditEntry.objects.filter(kind="protocol:amended").exists()


def test_instructions_are_amended_until_readings_are_handed_out():
    world = factory.open_world()
    amended(world, document_of(world, instructions={"text": "Other words"}))
    reader = world.enrol()
    assert set(reader.readings.values_list("protocol__version", flat=True)) == {2}
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    with pytest.raises(StateConflictError, match="before data lock"):
        amended(world, document_of(world, summary="Late"))


def test_amended_consent_is_asked_of_readers_who_are_there_already():
    world = factory.open_world()
    reader = world.enrol()
    amended(world, document_of(world, consent__text="New words", consent__version="2"))
    with pytest.raises(StateConflictError):
        factory.open_reading(reader)
    participant_consent(reader, version="2", agreed=True, actor=world.actor)
    assert factory.open_reading(reader).reading.protocol.version == 1
    kept = dict(reader.consents.values_list("version", "text"))
    assert set(kept) == {"1", "2"}
    assert kept["1"] != kept["2"]


def test_copy_has_the_protocol_and_nothing_else():
    world = factory.open_world()
    world.enrol()
    administrator = world.administrator
    body = {"slug": "second-study", "title": "Second"}
    path = f"/trials/{world.trial.id}/copy"
    send(signed_in(administrator), "post", path, body, status=403)
    administrator.is_site_administrator = True
    administrator.save()
    made = send(signed_in(administrator), "post", path, body, status=201)
    copied = Trial.objects.get(slug="second-study")
    assert (made["state"], made["title"]) == ("draft", "Second")
    assert copied.protocol_versions.get().text == protocol_locked(world.trial).text
    assert copied.protocol_versions.get().locked_at is None
    for related in ("cases", "items", "participants", "slots", "readings", "invitations"):
        assert getattr(copied, related).count() == 0, related
    assert copied.patient_key_secret != world.trial.patient_key_secret
    assert [one.account_id for one in copied.memberships.all()] == [administrator.id]
    send(signed_in(administrator), "post", path, body, status=422)
    stranger = AccountFactory.create(is_site_administrator=True)
    send(signed_in(stranger), "post", path, {"slug": "third-study"}, status=404)
    assert Trial.objects.count() == 2


def test_commands_write_revise_compare_amend_and_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    world = factory.preference_world()
    world.administrator.is_site_administrator = True
    world.administrator.save()

    def run(*arguments, code=0):
        who = ("--as", world.administrator.email)
        done = CliRunner().invoke(command.app, [*map(str, arguments), *who])
        assert done.exit_code == code, done.output
        return done.output

    file = tmp_path / "protocol.yaml"
    run("protocol", world.trial.slug, "--output", file)
    draft = world.trial.protocol_versions.get()
    assert file.read_text(encoding="utf-8") == draft.text
    draft.document["summary"] = "Revised"
    file.write_text(to_yaml(draft.document), encoding="utf-8")
    assert "/summary: Summary: " in run("diff", world.trial.slug, "--file", file, code=1)
    assert "revision 2" in run("revise", world.trial.slug, file)
    assert "no difference" in run("diff", world.trial.slug, "--file", file)
    world.trial.refresh_from_db()
    world.act(TrialAction.LOCK)
    draft.document["summary"] = "Amended"
    file.write_text(to_yaml(draft.document), encoding="utf-8")
    assert "Version 2" in run("amend", world.trial.slug, file, "--reason", WHY)
    assert "“Revised” became “Amended”" in run("diff", world.trial.slug, code=1)
    assert "version 1 of the protocol" in run("copy", world.trial.slug, "--slug", "again", "--version", 1)
    assert Trial.objects.get(slug="again").protocol_versions.get().document["summary"] == "Revised"
