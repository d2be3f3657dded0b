"""Bone scans from the reference standard to the table: two periods, committed pairs, practice, sessions, washout."""

import csv
import io
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from equipoise.analysis.run import run_analysis
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from equipoise.simulation import RatingPopulation, stream
from equipoise.simulation.roe_metz import RoeMetzModel
from tests.factories import bone_scans as bones
from tests.factories.trials import account_of, events_of
from trials.domain.states import TrialAction
from trials.models import Item, Reading, ReferenceStandard, Response
from trials.rehearsal.readers.classification import SimulatedClassification
from trials.rehearsal.simulated_reading import simulated_readings
from trials.reports.exports import readings_csv, truth_csv
from trials.selectors.allocation import allocation_document, allocation_proof
from trials.selectors.presentation import next_document, presentation_document
from trials.selectors.reader import Step, reader_state, reader_step
from trials.selectors.tables import readings_rows
from trials.services.acts import Actor
from trials.services.analysis import FrozenReadings, analysis_request
from trials.services.participant import participant_close, participant_resume
from trials.services.reading import reading_amend, reading_commit
from trials.services.reference import references_import

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def diseased(reading):
    return reading.item.case.reference_standards.get().truth == 1


def truthful(reading, *, sure=90):
    return bones.rated(1, sure) if diseased(reading) else bones.rated(0, 100 - sure)


def read_until(participant, *steps, body=truthful):
    """Read until the reader's step is one of those; return how many."""
    count = 0
    while reader_step(participant)[0] not in steps:
        opened = bones.open_reading(participant)
        bones.answer(participant, opened, body(opened.reading))
        count += 1
    return count


def let_days_pass(participant, days):
    """Move what was read so many days back; live rows are guarded, so this goes past the guards as time itself does."""
    from equipoise.audit.guards import guards_lifted

    with guards_lifted():
        for reading in Reading.objects.filter(participant=participant, first_opened_at__isnull=False):
            Reading.objects.filter(id=reading.id).update(
                first_opened_at=reading.first_opened_at - timedelta(days=days),
                submitted_at=reading.submitted_at and reading.submitted_at - timedelta(days=days),
            )


def test_scans_become_items_one_per_case_with_every_view():
    world = bones.bone_scan_world()
    items = list(Item.objects.order_by("code"))
    assert len(items) == 8
    assert {(item.unit, item.slice_index, item.first_frame, item.last_frame) for item in items} == {
        ("scan", 0, 0, 1)
    }
    assert {(item.candidate_a_id, item.candidate_b_id) for item in items} == {(None, None)}
    assert world.trial.items.filter(practice=True).count() == 2


def test_the_lock_wants_a_reference_standard_where_halves_are_drawn_within_it():
    world = bones.bone_scan_world()
    bones.scan_case(world.trial, number=50, diseased=True)
    from trials.services.items import items_draw

    items_draw(world.trial, actor=world.actor)
    with pytest.raises(StateConflictError, match="Every case needs a reference standard"):
        world.act(TrialAction.LOCK)


def test_the_allocation_is_balanced_and_can_be_made_again():
    world = bones.open_world()
    proof = allocation_proof(world.trial)
    assert proof.holds
    assert proof.algorithm == "eq-alloc/2"
    document = allocation_document(world.trial, world.statistician)
    assert document["allocated"] is None
    assert document["conditions_allocated"]["balanced"] is True
    references_import(
        world.trial,
        content=b"case,truth,status,source,date,labellers\nC-001,1,final,New histology,2026-02-01,L3\n",
        actor=world.actor,
    )
    assert allocation_proof(world.trial).holds, "a later reference standard changes no stratum"


def test_the_second_period_opens_after_the_washout_of_the_last_case():
    world = bones.open_world()
    reader = world.enrol()
    assert read_until(reader, Step.WAITING) == 2 + 6
    state = reader_state(reader)
    assert state["step"] == "waiting"
    last = Reading.objects.filter(participant=reader, period=1).latest("submitted_at").submitted_at
    assert state["opens_at"] == last + timedelta(days=28)
    with pytest.raises(StateConflictError, match="The next part opens on"):
        bones.open_reading(reader)
    let_days_pass(reader, 27)
    assert reader_step(reader)[0] is Step.WAITING
    let_days_pass(reader, 1)
    assert reader_step(reader)[0] is Step.READING
    assert read_until(reader, Step.CLOSING) == 6


def test_an_aborted_reading_is_an_exposure():
    world = bones.open_world(practice=0)
    reader = world.enrol()
    while reader_step(reader)[0] is Step.READING:
        opened = bones.open_reading(reader)
        bones.answer(reader, opened, truthful(opened.reading))
    let_days_pass(reader, 20)
    aborted = Reading.objects.filter(participant=reader, period=1).first()
    from equipoise.audit.guards import guards_lifted

    with guards_lifted():
        Reading.objects.filter(id=aborted.id).update(
            state="not-done", submitted_at=None, first_opened_at=timezone.now()
        )
    let = reader_state(reader)["opens_at"]
    assert let > timezone.now() + timedelta(days=27)


def test_conditions_are_told_only_where_they_are_open_and_the_aid_only_in_its_condition():
    world = bones.open_world(practice=0)
    reader = world.enrol()
    shown = Counter()
    for _ in range(6):
        opened = bones.open_reading(reader)
        document = presentation_document(opened.reading, asset_tokens=opened.asset_tokens)
        assert document["has_aid"] is True
        assert (
            document["condition"] == {"unaided": "Without AI", "aided": "With AI"}[opened.reading.condition]
        )
        assert (document["aid"] is not None) == (opened.reading.condition == "aided")
        if document["aid"] is not None:
            assert document["aid"] == {"available": False, "probability": None, "heat_map": None}
        assert document["images"][0]["views"] == ["anterior", "posterior"]
        assert document["inverted"] is True
        shown[opened.reading.condition] += 1
        bones.answer(reader, opened, truthful(opened.reading))
    assert shown == {"unaided": 3, "aided": 3}


WRONG = [
    ({"decision": None}, "/answer/decision"),
    ({"decision": 2}, "/answer/decision"),
    ({"decision": True}, "/answer/decision"),
    ({"rating": None}, "/answer/rating"),
    ({"rating": 101}, "/answer/rating"),
    ({"rating": 50.5}, "/answer/rating"),
    ({"marks": [{"frame": 0, "x": 1, "y": 1}]}, "/answer/marks"),
    ({"reason_code": "bored"}, "/answer/reason_code"),
    ({"reason_code": "other"}, "/answer/decision"),
    ({"choice": "left"}, "/answer/choice"),
]


@pytest.mark.parametrize(("change", "pointer"), WRONG)
def test_a_wrong_answer_is_refused_by_field_and_nothing_is_stored(change, pointer):
    world = bones.open_world()
    reader = world.enrol()
    opened = bones.open_reading(reader)
    with pytest.raises(ValidationFailedError) as refused:
        bones.answer(reader, opened, bones.rated(1, 80) | change)
    assert pointer in refused.value.data["fields"]
    assert Response.objects.count() == 0


def test_a_contradiction_is_flagged_and_kept():
    world = bones.open_world(practice=0)
    reader = world.enrol()
    bones.answer(reader, bones.open_reading(reader), bones.rated(0, 90))
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 90))
    rows = list(readings_rows(world.trial, unblinded=True))[:2]
    assert [(row["decision"], row["score"], row["rating"]) for row in rows] == [(0, 0.9, 90), (1, 0.9, 90)]
    assert ["contradiction" in row["flags"].split() for row in rows] == [True, False]


def test_blinded_rows_tell_an_open_condition_only_of_readings_that_were_opened():
    world = bones.open_world(practice=0)
    reader = world.enrol()
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 70))
    second = bones.open_reading(reader).reading
    told = [row["condition"] for row in readings_rows(world.trial, unblinded=False)]
    planned = [row["condition"] for row in readings_rows(world.trial, unblinded=True)]
    assert second.position == 2
    assert (told[:2], set(told[2:])) == (planned[:2], {None})
    assert None not in planned


def test_blinded_rows_tell_no_answer():
    world = bones.open_world(practice=0)
    reader = world.enrol()
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 70))
    row = next(iter(readings_rows(world.trial, unblinded=False)))
    assert (row["decision"], row["score"], row["rating"], row["marks"]) == (None, None, None, None)
    assert row["state"] == "submitted"
    assert next(csv.DictReader(io.StringIO("".join(readings_csv(world.trial)))))["rating"] == ""


# --- sequential pairs ---------------------------------------------------------------------------------------------


def sequential(**options):
    return bones.open_world(name="bone-scan-sequential", **options)


def commit(participant, opened, body, *, key=None):
    return reading_commit(
        participant,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=key or uuid.uuid4(),
        answer=body,
        events=events_of(seconds=4, choice=""),
        environment={},
        session_key="session-a",
        actor=Actor(account_id=account_of(participant).id),
    )


def test_the_first_answer_is_locked_before_the_aid_is_shown():
    world = sequential(practice=0)
    reader = world.enrol()
    first = bones.open_reading(reader)
    before = presentation_document(first.reading, asset_tokens=first.asset_tokens)
    assert (before["stage"], before["aid"], before["first_answer"]) == (1, None, None)
    second = commit(reader, first, bones.rated(0, 20))
    after = presentation_document(second.reading, asset_tokens=second.asset_tokens)
    assert after["stage"] == 2
    assert after["aid"] is not None
    assert after["first_answer"] == {"decision": 0, "rating": 20, "marks": [], "reason_code": None}
    assert after["images"] == before["images"], "the same frames under the same address"
    assert (after["n"], after["total"]) == (before["n"], before["total"]) == (1, 6)
    assert after["may_amend_previous"] is False


def test_committing_again_with_the_same_key_opens_the_second_half_again_and_stores_nothing_twice():
    world = sequential(practice=0)
    reader = world.enrol()
    first, key = bones.open_reading(reader), uuid.uuid4()
    one = commit(reader, first, bones.rated(0, 20), key=key)
    two = commit(reader, first, bones.rated(0, 20), key=key)
    assert one.reading.id == two.reading.id
    assert Response.objects.count() == 1


def test_the_committed_answer_cannot_be_corrected_and_the_second_half_is_not_committed():
    world = sequential(practice=0, **{"tasks.0.corrections": "until_next_is_opened"})
    reader = world.enrol()
    first = bones.open_reading(reader)
    second = commit(reader, first, bones.rated(0, 20))
    with pytest.raises(StateConflictError, match="can no longer be corrected"):
        reading_amend(
            reader,
            token=str(first.reading.token),
            key=uuid.uuid4(),
            answer=bones.rated(1, 90),
            actor=Actor(account_id=account_of(reader).id),
        )
    with pytest.raises(StateConflictError, match="Only the first half"):
        commit(reader, second, bones.rated(1, 80))
    assert Response.objects.count() == 1


def test_a_pair_is_two_rows_and_the_second_time_is_flagged_as_incremental():
    world = sequential(practice=0)
    reader = world.enrol()
    second = commit(reader, bones.open_reading(reader), bones.rated(0, 20))
    bones.answer(reader, second, bones.rated(1, 60))
    first, second_row = list(readings_rows(world.trial, unblinded=True))[:2]
    assert (first["condition"], second_row["condition"]) == ("unaided", "aided")
    assert first["case"] == second_row["case"]
    assert "incremental" not in first["flags"]
    assert "incremental" in second_row["flags"]
    timed = run_analysis("reading-time", FrozenReadings(world.trial).tables("reading-time"))
    assert {row[2] for row in zip(*timed.tables["times"].columns.values(), strict=True)} <= {"unaided", ""}
    assert any("6 second answers of sequential pairs left out" in note for note in timed.notes)


# --- practice and sessions ----------------------------------------------------------------------------------------


def test_practice_is_followed_by_the_reference_standard_and_reading_is_not():
    world = bones.open_world(practice=2)
    reader = world.enrol()
    opened = bones.open_reading(reader)
    told = bones.answer(reader, opened, truthful(opened.reading)).feedback
    assert told is not None
    assert told.correct is True
    right = "Metastasis" if diseased(opened.reading) else "No metastasis"
    assert told.text == f"Reference standard: {right}."
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    opened = bones.open_reading(reader)
    assert opened.reading.phase == "reading"
    assert bones.answer(reader, opened, bones.rated(1, 80)).feedback is None


def wrong(reading):
    return bones.rated(0, 10) if diseased(reading) else bones.rated(1, 90)


PASS_MARK = {"practice.pass_mark_percent": 80, "practice.rounds": 2}


def test_who_misses_the_pass_mark_reads_another_round_and_then_no_trial_case():
    world = bones.open_world(**PASS_MARK)
    reader = world.enrol()
    assert read_until(reader, Step.PRACTICE_FAILED, body=wrong) == 4
    state = reader_state(reader)
    assert state["message"].startswith("0 of 2 practice answers were right")
    with pytest.raises(StateConflictError, match="below the pass mark"):
        bones.open_reading(reader)
    assert not Reading.objects.filter(participant=reader, phase="reading").exclude(state="planned").exists()


def test_who_reaches_the_pass_mark_skips_the_further_rounds():
    world = bones.open_world(**PASS_MARK)
    reader = world.enrol()
    assert read_until(reader, Step.READING) == 2
    assert (
        list(
            Reading.objects.filter(participant=reader, phase="practice", repeat=2).values_list(
                "state", "flags"
            )
        )
        == [("not-done", ["practice_passed"])] * 2
    )


def test_a_session_ends_after_its_most_readings():
    world = bones.open_world(practice=0, **{"sessions.max_readings": 3})
    reader = world.enrol()
    assert read_until(reader, Step.WAITING) == 3
    assert "as many as one session may have" in reader_state(reader)["message"]
    let_days_pass(reader, 1)
    assert reader_step(reader)[0] is Step.READING


def test_a_break_is_suggested_after_so_many_readings_and_not_again_after_it():
    world = bones.open_world(practice=0, **{"sessions.break_after_readings": 2})
    reader = world.enrol()
    suggested = []
    for _ in range(2):
        bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
        suggested.append(next_document(reader, *reader_step(reader), asset_tokens=None)["suggest_break"])
    reader.on_break_since = timezone.now()
    reader.save()
    participant_resume(reader, actor=Actor(account_id=account_of(reader).id))
    reader.refresh_from_db()
    assert suggested == [False, True]
    assert next_document(reader, *reader_step(reader), asset_tokens=None)["suggest_break"] is False


# --- the reference standard ---------------------------------------------------------------------------------------

TABLE = "case,truth,status,source,date,labellers"


@pytest.mark.parametrize(
    ("line", "pointer", "words"),
    [
        ("C-099,1,final,Biopsy,2026-01-01,L1", "/rows/2/case", "the trial has no case 'C-099'"),
        ("C-001,2,final,Biopsy,2026-01-01,L1", "/rows/2/truth", "must be 0 (not diseased) or 1"),
        ("C-001,1,pending,Biopsy,2026-01-01,L1", "/rows/2/truth", "must be empty"),
        ("C-001,1,sure,Biopsy,2026-01-01,L1", "/rows/2/status", "must be one of final"),
        ("C-001,1,final,Biopsy,yesterday,L1", "/rows/2/date", "a day such as 2026-03-31"),
        ("C-001,1,final,,2026-01-01,L1", "/rows/2/source", "must not be empty"),
        ("C-001,1,final,Biopsy,2026-01-01,L1,more", "/rows/2", "more cells than the header"),
    ],
)
def test_a_wrong_row_of_the_reference_standard_is_named_and_nothing_changes(line, pointer, words):
    world = bones.bone_scan_world()
    before = ReferenceStandard.objects.count()
    good = "C-002,0,final,Histology,2026-02-02,L9"
    with pytest.raises(ValidationFailedError) as refused:
        references_import(world.trial, content=f"{TABLE}\n{line}\n{good}\n".encode(), actor=world.actor)
    assert words in str(refused.value.data["fields"][pointer])
    assert ReferenceStandard.objects.count() == before


def test_a_new_reference_standard_is_a_new_version_and_the_same_one_is_none():
    world = bones.bone_scan_world()
    line = b"C-001,,indeterminate,Follow-up lost,2026-02-02,L1 and L2"
    table = f"{TABLE}\n".encode() + line + b"\n"
    assert references_import(world.trial, content=table, actor=world.actor).references == 1
    again = references_import(world.trial, content=table, actor=world.actor)
    assert (again.references, again.unchanged) == (0, 1)
    versions = ReferenceStandard.objects.filter(case__code="C-001")
    assert [(one.version, one.status, one.truth) for one in versions] == [
        (1, "final", 0),
        (2, "indeterminate", None),
    ]
    rows = list(csv.DictReader(io.StringIO("".join(truth_csv(world.trial)))))
    assert [row["case"] for row in rows] == [f"C-{n:03d}" for n in range(1, 7)]
    assert (rows[0]["truth"], rows[0]["status"], rows[0]["version"], rows[0]["site"]) == (
        "", "indeterminate", "2", "A",
    )  # fmt: skip
    assert (rows[1]["truth"], rows[1]["labellers"]) == ("1", "L1 and L2")


def test_nothing_of_the_reference_standard_changes_after_data_lock():
    world = bones.open_world()
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    with pytest.raises(StateConflictError, match="no longer changes"):
        references_import(
            world.trial, content=f"{TABLE}\nC-001,1,final,B,2026-01-01,L\n".encode(), actor=world.actor
        )


def test_the_trials_own_data_give_the_multi_reader_analysis():
    world = bones.open_world(practice=0, cases=12)
    for number in range(3):
        reader = world.enrol()
        for period in (1, 2):
            for place in range(12):
                opened = bones.open_reading(reader)
                sure = (
                    55
                    + 3 * ((place * 7 + number * 5) % 14)
                    + (3 if opened.reading.condition == "aided" else 0)
                )
                miss = (place + number + period) % 6 == 0
                body = wrong(opened.reading) if miss else truthful(opened.reading, sure=min(99, sure))
                bones.answer(reader, opened, body)
            let_days_pass(reader, 28)
        participant_close(reader, answers={}, actor=Actor(account_id=account_of(reader).id))
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    found = {}
    for name in ("mrmc", "roc", "operating-point", "reading-time"):
        analysis = analysis_request(
            world.trial, name=name, options={}, external_table=None, actor=world.actor
        )
        job_run_inline(analysis.job_id)
        analysis.refresh_from_db()
        assert analysis.state == "succeeded", (name, analysis.message)
        assert analysis.exploratory is False
        found[name] = analysis.results
    conditions = {
        number["subject"]["condition"]
        for number in found["mrmc"]["numbers"]
        if number["quantity"] == "condition_mean"
    }
    assert conditions == {"aided", "unaided"}
    assert "switches" in found["mrmc"]["tables"]


def test_simulated_readers_read_both_periods_through_the_real_path():
    world = bones.open_world(practice=1, cases=12)
    model = RoeMetzModel.with_aucs((0.75, 0.95))
    population = RatingPopulation(("unaided", "aided"), model, seed=5)
    for reader in population.readers(stream(5), 2):
        participant = world.enrol()
        simulated = SimulatedClassification(population=population, model=reader, seed=5)
        assert simulated_readings(participant, simulated) == 1 + 2 * 12
        participant.refresh_from_db()
        assert participant.state == "done"
    rows = list(readings_rows(world.trial, unblinded=True))
    assert Counter((row["condition"], row["period"]) for row in rows).keys() == {
        (condition, period) for condition in ("unaided", "aided") for period in (1, 2)
    }
    assert all(row["decision_s"] is not None for row in rows if row["state"] == "submitted")
    assert {row["state"] for row in rows} <= {"submitted", "not-assessable"}
