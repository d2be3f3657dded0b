"""The audit trail: entries chain, heads are taken once, tampering is found, words are erasable."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from equipoise.api.addresses import current_address
from equipoise.audit import hashing
from equipoise.audit.guards import guards_lifted
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditAddress, AuditEntry, AuditHead, AuditReason
from equipoise.audit.selectors import chain_export, chain_names, chain_verify, entry_export
from equipoise.audit.services import SITE_CHAIN, chain_of, entry_append
from equipoise.common.ids import new_id

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def append(chain=SITE_CHAIN, **fields):
    defaults = {
        "kind": AuditKind.TRIAL_PAUSED,
        "actor_id": None,
        "origin": Origin.WEB,
        "subject": "trial:1",
    }
    with transaction.atomic():
        return entry_append(chain=chain, **{**defaults, **fields})


def test_first_entry_names_the_genesis_and_the_second_names_the_first():
    first = append(after={"title": "A"})
    second = append(before={"title": "A"}, after={"title": "B"})

    assert (first.sequence, first.previous_hash) == (1, "0" * 64)
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    head = AuditHead.objects.get(chain=SITE_CHAIN)
    assert (head.sequence, head.hash) == (2, second.hash)


def test_each_trial_has_its_own_chain():
    one, other = str(new_id()), str(new_id())
    append(one)
    append(one)
    append(other)

    assert chain_names() == sorted([one, other])
    assert [chain_verify(c).entries for c in (one, other)] == [2, 1]


def test_hash_of_version_1_never_changes():
    # Computed with Python's json (sorted keys, no spaces) and hashlib. Entries outlive the code: if this fails, a
    # new version is needed.
    @dataclass
    class Row:
        version = 1
        chain = "site"
        sequence = 1
        id = "019aa000-0000-7000-8000-000000000001"
        kind = "trial:created"
        created_at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
        actor_id = None
        actor_key = ""
        origin = "cli"
        subject = "trial:019aa000-0000-7000-8000-000000000002"
        before = None
        after = {"b": 1, "a": [True, "é"]}
        reason_hash = ""
        previous_hash = "0" * 64

    assert hashing.entry_hash(Row()) == "9a8342725655f791ad63c270788e8625e08594321eddcc7776054732dd0451b7"


def test_hash_of_version_2_covers_where_a_request_came_from_and_never_changes():
    # Computed likewise.
    @dataclass
    class Row:
        version = 2
        chain = "site"
        sequence = 1
        id = "019aa000-0000-7000-8000-000000000001"
        kind = "trial:created"
        created_at = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
        actor_id = None
        actor_key = ""
        origin = "web"
        subject = "trial:019aa000-0000-7000-8000-000000000002"
        before = None
        after = {"b": 1, "a": [True, "é"]}
        reason_hash = ""
        address_hash = "ab" * 32
        previous_hash = "0" * 64

    assert hashing.entry_hash(Row()) == "2422549461218856c3dc1a2e0ad666877f7cfd0e68b3824feadbc92d27666585"


def test_stored_entries_verify_after_a_round_trip_through_the_database():
    actor = new_id()
    append(
        actor_id=actor, after={"ü": 1.5, "n": 9007199254740991, "list": [1, None, False]}, reason="Wrong site"
    )

    report = chain_verify(SITE_CHAIN)

    assert report.problems == ()
    assert report.is_intact
    assert report.head_hash == AuditEntry.objects.get().hash


def test_entry_outside_a_transaction_is_refused(flushing_db):
    with pytest.raises(RuntimeError, match="transaction of the act"):
        entry_append(
            chain=SITE_CHAIN,
            kind=AuditKind.TRIAL_CREATED,
            actor_id=None,
            origin=Origin.CLI,
            subject="trial:1",
        )
    assert AuditEntry.objects.count() == 0


def test_what_cannot_be_hashed_is_refused_before_anything_is_written():
    with pytest.raises(ValueError, match="UUID"):
        append(after={"id": new_id()})
    assert AuditEntry.objects.count() == 0
    assert AuditHead.objects.count() == 0


def test_kind_outside_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="is not a valid AuditKind"):
        append(kind="trial:renamed_somehow")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"after": {"title": "C"}}, "its content does not give its hash"),
        ({"actor_id": "019aa000-0000-7000-8000-000000000009"}, "its content does not give its hash"),
        ({"version": 9}, "its content does not give its hash"),
        ({"previous_hash": "1" * 64}, "does not name the entry before it"),
    ],
)
def test_altered_entry_is_found(change, sentence):
    append(after={"title": "A"})
    second = append(after={"title": "B"})
    append()
    with guards_lifted():
        AuditEntry.objects.filter(pk=second.pk).update(**change)

    report = chain_verify(SITE_CHAIN)

    assert not report.is_intact
    assert any(f"site/2: {sentence}" in problem for problem in report.problems)


def test_removed_entry_and_cut_end_are_found():
    append()
    second = append()
    third = append()
    with guards_lifted():
        AuditEntry.objects.filter(pk=second.pk).delete()
    assert "site/3: 2 was expected; entries are missing before it." in chain_verify(SITE_CHAIN).problems

    with guards_lifted():
        AuditEntry.objects.filter(pk=third.pk).delete()
    assert any("the end was cut" in problem for problem in chain_verify(SITE_CHAIN).problems)


def test_rehashed_forgery_is_found_by_the_next_entry():
    append(after={"title": "A"})
    append()
    forged = AuditEntry.objects.get(sequence=1)
    forged.after = {"title": "forged"}
    with guards_lifted():
        AuditEntry.objects.filter(pk=forged.pk).update(after=forged.after, hash=hashing.entry_hash(forged))

    assert chain_verify(SITE_CHAIN).problems == ("site/2: does not name the entry before it.",)


def test_erased_reason_leaves_the_chain_intact_and_an_altered_one_does_not():
    kept = append(reason="Because the ethics board asked")
    erased = append(reason="Dr. Somebody asked")

    AuditReason.objects.filter(entry=erased).delete()
    assert chain_verify(SITE_CHAIN).problems == ()

    AuditReason.objects.filter(entry=kept).update(text="No reason")
    assert [p.split(":")[0] for p in chain_verify(SITE_CHAIN).problems] == ["site/1"]


@pytest.fixture
def at():
    """Serve requests from an address."""
    tokens = []
    yield lambda address: tokens.append(current_address.set(address))
    while tokens:
        current_address.reset(tokens.pop())


def test_entry_over_the_web_says_from_where_and_any_other_from_nowhere(at):
    at("192.0.2.7")
    over_web = append()
    by_worker = append(origin=Origin.WORKER)
    at("")
    unknown = append()

    assert [(row.entry_id, row.address) for row in AuditAddress.objects.all()] == [(over_web.pk, "192.0.2.7")]
    assert len(over_web.address_hash) == 64
    assert (by_worker.address_hash, unknown.address_hash) == ("", "")
    assert "192.0.2.7" not in str(list(chain_export(SITE_CHAIN)))
    assert chain_verify(SITE_CHAIN).problems == ()


def test_erased_address_leaves_the_chain_intact_and_an_altered_or_added_one_does_not(at):
    at("192.0.2.7")
    erased, altered = append(), append()
    worker = append(origin=Origin.WORKER)

    AuditAddress.objects.filter(entry=erased).delete()
    assert chain_verify(SITE_CHAIN).problems == ()

    with pytest.raises(IntegrityError), transaction.atomic():
        AuditAddress.objects.filter(entry=altered).update(address="198.51.100.1")
    with guards_lifted():
        AuditAddress.objects.filter(entry=altered).update(address="198.51.100.1")
    AuditAddress.objects.create(entry=worker, salt="0" * 32, address="192.0.2.7")
    assert chain_verify(SITE_CHAIN).problems == (
        "site/2: its network address was altered (an erased one would be absent).",
        "site/3: its network address was altered (an erased one would be absent).",
    )


def test_entries_of_version_1_stay_valid_and_can_be_given_no_address(monkeypatch, at):
    monkeypatch.setattr("equipoise.audit.services.VERSION", 1)
    old = append(after={"title": "A"})
    monkeypatch.undo()
    at("192.0.2.7")
    append()
    assert chain_verify(SITE_CHAIN).problems == ()
    assert ["address_hash" in entry for entry in chain_export(SITE_CHAIN)] == [False, True]

    given = hashing.erasable_hash("0" * 32, "192.0.2.9")
    with guards_lifted():
        AuditEntry.objects.filter(pk=old.pk).update(address_hash=given)
    AuditAddress.objects.create(entry=old, salt="0" * 32, address="192.0.2.9")
    assert chain_verify(SITE_CHAIN).problems == (
        "site/1: its content does not give its hash; it was altered.",
    )


def test_no_words_and_no_names_stand_in_the_chained_row():
    append(actor_id=new_id(), reason="Dr. Somebody asked")

    exported = list(chain_export(SITE_CHAIN))

    assert "Somebody" not in str(exported)
    assert len(exported[0]["reason_hash"]) == 64


def test_rolled_back_act_leaves_no_entry_and_no_gap():
    @transaction.atomic
    def act():
        append()
        raise ZeroDivisionError

    append()
    with pytest.raises(ZeroDivisionError):
        act()
    append()

    assert list(AuditEntry.objects.values_list("sequence", flat=True)) == [1, 2]
    assert chain_verify(SITE_CHAIN).problems == ()


def test_chain_of_names_the_trial_or_the_site():
    trial = new_id()
    assert chain_of(trial) == str(trial)
    assert chain_of(None) == "site"


def test_concurrent_writers_share_one_chain_without_fork_or_gap(flushing_db):
    writers, entries_each = 4, 10
    errors = []

    def write():
        try:
            for _ in range(entries_each):
                append("shared", actor_id=new_id())
        except Exception as error:  # handed to the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    report = chain_verify("shared")
    assert report.problems == ()
    assert report.entries == writers * entries_each


def test_second_entry_of_one_sequence_number_is_impossible():
    entry = append()
    entry.pk = new_id()
    with pytest.raises(IntegrityError), transaction.atomic():
        entry.save(force_insert=True)
    assert AuditEntry.objects.count() == 1


def test_a_chain_is_verified_and_written_down_in_one_reading(django_assert_num_queries):
    for _ in range(3):
        append()
    with guards_lifted():
        AuditEntry.objects.filter(sequence=2).update(subject="another")
    written = []
    with django_assert_num_queries(4):
        report = chain_verify(SITE_CHAIN, each=lambda entry: written.append(entry_export(entry)))
    assert written == list(chain_export(SITE_CHAIN))
    assert [one["sequence"] for one in written] == [1, 2, 3]
    assert [problem.split(":")[0] for problem in report.problems] == ["site/2"]
