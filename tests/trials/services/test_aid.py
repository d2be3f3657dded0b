"""The aid of a reading: true and sham alike in everything but their values, sent with the opening alone."""

import base64
import json
import uuid
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone

from equipoise.audit.guards import guards_lifted
from tests.factories import bone_scans as bones
from tests.factories.trials import account_of, events_of
from trials.domain.columns import AID_COLUMNS
from trials.domain.results import Failure, FailureCode
from trials.domain.states import TrialAction
from trials.models import AlgorithmResult, Reading, Response
from trials.selectors.aid import aid_document, reduction, shuffled
from trials.selectors.presentation import presentation_document
from trials.selectors.protocol import protocol_of_version
from trials.selectors.tables import readings_columns, readings_rows, snapshot_sha256
from trials.services.acts import Actor
from trials.services.reading import reading_commit

pytestmark = [pytest.mark.django_db, pytest.mark.db]

AID = {"source": "bone-scan-ai", "probability": True, "heat_map": True}


def conditions(sham):
    return {
        "allocation.design.kind": "fully-crossed",
        "allocation.design.washout_days": 0,
        "allocation.design.conditions": [
            {"key": "true", "label": "With AI", "aid": AID},
            {"key": "sham", "label": "With AI", "aid": AID | {"sham": sham}},
        ],
    }


def levels_of(number):
    return np.random.default_rng(number).integers(0, 256, bones.SHAPE, np.uint8)


def aids(sham, *, failing=()):
    """Return, by condition and case, the aid of every reading of one reader, and the reading."""
    world = bones.bone_scan_world(practice=0, cases=4, **conditions(sham))
    for number, case in enumerate(world.trial.cases.order_by("code")):
        if number in failing:
            bones.ai_result(world, case, failure=Failure(FailureCode.EMPTY_RESULT))
        else:
            bones.ai_result(world, case, probability=0.11 + 0.2 * number, levels=levels_of(number))
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    reader = world.enrol()
    found = {}
    readings = Reading.objects.filter(participant=reader).select_related(
        "item__case", "item__image__volume", "allocation_row__aid_item", "protocol"
    )
    for reading in readings:
        document = aid_document(reading, protocol=protocol_of_version(reading.protocol))
        found[reading.condition, reading.item.case.code] = (document, reading)
    return found


def decoded(document):
    heat = document["heat_map"]
    assert heat["factor"] == 1
    return np.frombuffer(base64.b64decode(heat["levels"]), np.uint8).reshape(bones.SHAPE)


def test_a_true_aid_is_the_cases_own_result():
    found = aids("other_scan")
    for number in range(4):
        document, _ = found["true", f"C-{number + 1:03d}"]
        assert document["probability"] == pytest.approx(0.11 + 0.2 * number)
        assert (decoded(document) == levels_of(number)).all()


def test_a_sham_is_the_result_of_the_case_that_the_allocation_drew():
    found = aids("other_scan")
    shown = set()
    for number in range(4):
        document, reading = found["sham", f"C-{number + 1:03d}"]
        other = int(reading.allocation_row.aid_item.case.code[2:]) - 1
        assert other != number
        assert (decoded(document) == levels_of(other)).all()
        shown.add(other)
    assert shown == {0, 1, 2, 3}, "every case lends its result to one other"


def test_a_shuffled_map_has_the_same_levels_in_other_places_and_the_own_probability():
    found = aids("shuffled")
    document, _ = found["sham", "C-001"]
    assert document["probability"] == pytest.approx(0.11)
    assert not (decoded(document) == levels_of(0)).all()
    assert (np.sort(decoded(document), axis=None) == np.sort(levels_of(0), axis=None)).all()


@pytest.mark.parametrize("sham", ["other_scan", "shuffled"])
def test_true_and_sham_are_written_alike(sham):
    found = aids(sham)
    lengths = {len(json.dumps(document)) for document, _ in found.values()}
    assert len(lengths) == 1
    assert {tuple(document) for document, _ in found.values()} == {("available", "probability", "heat_map")}


def test_a_failed_result_is_there_and_says_that_it_is_not_available():
    document, _ = aids("shuffled", failing=(1,))["true", "C-002"]
    assert document == {"available": False, "probability": None, "heat_map": None}


# --- fixed at the first opening -----------------------------------------------------------------------------------

NOT_AVAILABLE = {"available": False, "probability": None, "heat_map": None}


def failing_world(sham="none", **options):
    """Return an open trial whose algorithm has failed on every case, and its reader."""
    own = conditions(sham) if sham != "none" else {}
    world = bones.bone_scan_world(practice=0, cases=4, **own, **options)
    for case in world.trial.cases.all():
        bones.ai_result(world, case, failure=Failure(FailureCode.CRASHED))
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world, world.enrol()


def run_again(world, *, attempt=2):
    for number, case in enumerate(world.trial.cases.order_by("code")):
        bones.ai_result(
            world, case, probability=0.11 + 0.2 * number, levels=levels_of(number), attempt=attempt
        )


def shown(opened):
    return presentation_document(opened.reading, asset_tokens=opened.asset_tokens)["aid"]


def open_aided(reader, key):
    """Read until a reading of this condition is open."""
    while True:
        opened = bones.open_reading(reader)
        if opened.reading.condition == key:
            return opened
        bones.answer(reader, opened, bones.rated(0, 10))


def row_of(world, reading):
    rows = readings_rows(world.trial, unblinded=True)
    return next(
        row for row in rows if (row["item"], row["condition"]) == (reading.item.code, reading.condition)
    )


@pytest.mark.parametrize(
    ("sham", "condition"), [("none", "aided"), ("other_scan", "sham"), ("shuffled", "sham")]
)
def test_an_algorithm_that_runs_again_changes_no_reading_that_is_open(sham, condition):
    world, reader = failing_world(sham)
    opened = open_aided(reader, condition)
    assert shown(opened) == NOT_AVAILABLE
    run_again(world)
    again = bones.open_reading(reader)
    assert (again.reading.id, again.resumed) == (opened.reading.id, True)
    assert shown(again) == NOT_AVAILABLE
    bones.answer(reader, again, bones.rated(1, 80))
    assert "overlay_s" not in Response.objects.get(reading=again.reading).timing, (
        "no overlay was there to see"
    )
    following = open_aided(reader, condition)
    aid = shown(following)
    assert aid["available"] is True
    assert aid["heat_map"] is not None
    bones.answer(reader, following, bones.rated(1, 80))
    assert Response.objects.get(reading=following.reading).timing["overlay_s"] > 0

    before, after = row_of(world, again.reading), row_of(world, following.reading)
    failed = Reading.objects.get(id=again.reading.id).aid_result
    assert failed.failure_code == "crashed"
    assert (before["aid_available"], before["aid_probability"], before["aid_result_id"]) == (
        0,
        None,
        str(failed.id),
    )
    result = Reading.objects.get(id=following.reading.id).aid_result
    of_case = following.reading.allocation_row.aid_item if sham == "other_scan" else following.reading.item
    assert (result.case_id, result.attempt) == (of_case.case_id, 2)
    assert (after["aid_available"], after["aid_probability"], after["aid_result_id"]) == (
        1,
        aid["probability"],
        str(result.id),
    )


def test_a_later_attempt_changes_nothing_that_was_shown():
    world, reader = failing_world()
    run_again(world)
    opened = open_aided(reader, "aided")
    before = shown(opened)
    for case in world.trial.cases.all():
        bones.ai_result(world, case, failure=Failure(FailureCode.EMPTY_RESULT), attempt=3)
    assert before["available"] is True
    assert shown(bones.open_reading(reader)) == before
    assert row_of(world, opened.reading)["aid_probability"] == before["probability"]


def test_that_there_was_no_result_at_all_is_fixed_too():
    world = bones.open_world(practice=0, cases=4)
    reader = world.enrol()
    opened = open_aided(reader, "aided")
    run_again(world, attempt=1)
    assert shown(bones.open_reading(reader)) == NOT_AVAILABLE
    row = row_of(world, opened.reading)
    assert [row[name] for name in AID_COLUMNS] == [0, None, None]


def test_the_aid_of_a_sequential_pair_is_fixed_when_its_second_half_opens():
    world, reader = failing_world(name="bone-scan-sequential")
    first = bones.open_reading(reader)
    assert shown(first) is None
    run_again(world)
    arguments = {"token": first.reading.token, "lease": 1, "key": uuid.uuid4()}
    second = reading_commit(
        reader,
        **arguments,
        answer=bones.rated(0, 20),
        events=events_of(seconds=4, choice=""),
        environment={},
        session_key="session-a",
        actor=Actor(account_id=account_of(reader).id),
    )
    before = shown(second)
    assert before["available"] is True, "what came before the second half opened is shown in it"
    for case in world.trial.cases.all():
        bones.ai_result(world, case, failure=Failure(FailureCode.EMPTY_RESULT), attempt=3)
    again = bones.open_reading(reader)
    assert again.reading.id == second.reading.id
    assert shown(again) == before
    unaided = Reading.objects.get(id=first.reading.id)
    assert (unaided.aid_result_id, unaided.aid_fixed_at) == (None, None)
    assert [row_of(world, first.reading)[name] for name in AID_COLUMNS] == [None, None, None]


def test_the_database_lets_nobody_change_which_aid_was_shown():
    world, reader = failing_world()
    opened = open_aided(reader, "aided")
    run_again(world)
    other = AlgorithmResult.objects.filter(attempt=2).first()
    readings = Reading.objects.filter(id=opened.reading.id)
    for change in ({"aid_result": other}, {"aid_result": None}, {"aid_fixed_at": timezone.now()}):
        with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
            readings.update(**change)
    planned = Reading.objects.filter(participant=reader, state="planned").first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.filter(id=planned.id).update(aid_result=other)


def test_the_database_gives_no_result_to_a_reading_that_was_opened_without_one():
    world = bones.open_world(practice=0, cases=4)
    opened = open_aided(world.enrol(), "aided")
    readings = Reading.objects.filter(id=opened.reading.id)
    assert (readings.get().aid_result, readings.get().aid_fixed_at) == (None, opened.reading.aid_fixed_at)
    assert opened.reading.aid_fixed_at is not None
    run_again(world, attempt=1)
    with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
        readings.update(aid_result=AlgorithmResult.objects.first())
    assert readings.get().aid_result is None


def test_what_was_shown_is_told_once_unblinded_and_left_out_of_the_hash_of_the_data():
    world, reader = failing_world("other_scan")
    run_again(world)
    assert set(AID_COLUMNS) <= set(readings_columns(world.trial))
    opened = open_aided(reader, "sham")
    bones.answer(reader, opened, bones.rated(1, 80))
    blinded = list(readings_rows(world.trial, unblinded=False))
    assert {row[name] for row in blinded for name in AID_COLUMNS} == {None}
    told = row_of(world, opened.reading)
    assert None not in [told[name] for name in AID_COLUMNS]
    frozen = snapshot_sha256(world.trial)
    with guards_lifted():
        Reading.objects.filter(id=opened.reading.id).update(aid_result=None)
    assert row_of(world, opened.reading) != told
    assert snapshot_sha256(world.trial) == frozen


@pytest.mark.parametrize("sham", ["none", "other_scan", "shuffled"])
def test_readings_from_before_get_the_result_of_their_first_opening(sham):
    world, reader = failing_world(sham)
    condition = "aided" if sham == "none" else "sham"
    early = open_aided(reader, condition).reading
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    run_again(world)
    late = open_aided(reader, condition).reading
    fixed = {
        reading.id: (reading.aid_result_id, reading.aid_fixed_at)
        for reading in Reading.objects.filter(participant=reader)
    }
    with guards_lifted():
        Reading.objects.update(aid_result=None, aid_fixed_at=None)
    migration = import_module("trials.migrations.0011_aid_of_opened_readings")
    migration.fix_aids(apps, None)
    found = {
        reading.id: (reading.aid_result_id, reading.aid_fixed_at)
        for reading in Reading.objects.filter(participant=reader)
    }
    assert fixed[early.id][0] != fixed[late.id][0]
    assert found == fixed


def test_a_large_map_is_reduced_by_a_whole_factor():
    assert reduction((2, 1024, 256)) == 1
    assert reduction((130, 512, 512)) == 5


def test_a_shuffled_map_is_the_same_for_the_same_reading():
    levels = levels_of(3)
    assert (shuffled(levels, key="a") == shuffled(levels, key="a")).all()
    assert not (shuffled(levels, key="a") == shuffled(levels, key="b")).all()
