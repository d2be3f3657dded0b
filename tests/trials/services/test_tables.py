"""The tidy table: what cannot be assessed, what was corrected, what readers said of themselves; and its frozen hash."""

import uuid
import warnings

import pytest
import rfc8785

from equipoise.common.errors import StateConflictError
from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import preference_score
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import Participant, Questionnaire, ResponseComment, Trial
from trials.selectors.tables import canonical_row, readings_columns, readings_rows, snapshot_sha256
from trials.services.acts import Actor
from trials.services.external import external_table_import
from trials.services.participant import participant_withdraw
from trials.services.reading import reading_amend

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def preference_rows(world):
    rows = readings_rows(world.trial, unblinded=True)
    return [row for row in rows if row["task"] == "preference"]


def test_cannot_assess_is_counted_as_such_and_not_as_missing():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    factory.answer(reader, factory.open_reading(reader), choice="cannot_assess", reason_code="image_quality")
    factory.answer(reader, factory.open_reading(reader), choice="left")
    rows = preference_rows(world)
    assert [row["flags"].split().count("not_assessable") for row in rows] == [1] + [0] * 6
    table = {name: [row[name] for row in rows] for name in rows[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # one reader has no spread
        score = preference_score(table, algorithm="algorithm")
    assert (score.n, score.n_not_assessable) == (1, 1)


def test_correction_keeps_first_answer_times_and_flags_and_is_exported_beside_it():
    world = factory.open_world(**{"tasks.0.corrections": "until_next_is_opened"})
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    opened = factory.open_reading(reader)
    factory.answer(reader, opened, choice="left")
    reading_amend(
        reader,
        token=opened.reading.token,
        key=uuid.uuid4(),
        answer={"choice": "cannot_assess", "reason_code": "image_quality", "comment": ""},
        actor=Actor(account_id=factory.account_of(reader).id),
    )
    row = preference_rows(world)[0]
    assert row["choice_side"] == "left"
    assert row["preferred"] == opened.reading.left.source
    assert row["corrected_preferred"] == "not_assessable"
    assert row["wall_s"] == 5.0


def test_every_question_of_the_form_has_a_column():
    world = factory.open_world()
    world.enrol()
    columns = readings_columns(world.trial)
    assert columns[-3:] == ("speciality", "contours_per_month", "display")
    row = preference_rows(world)[0]
    assert tuple(row) == columns
    assert (row["speciality"], row["contours_per_month"], row["display"]) == ("radiology", 3, "diagnostic")
    assert row["experience_years"] == 4.0


def finished_world():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    factory.answer(reader, factory.open_reading(reader), comment="blurred")
    world.act(TrialAction.CLOSE)
    world.act(TrialAction.DATA_LOCK)
    return world


def test_frozen_hash_outlives_the_erasure_of_comments_and_covers_the_form():
    world = finished_world()
    frozen = world.trial.data_sha256
    ResponseComment.objects.all().delete()
    assert snapshot_sha256(world.trial) == frozen
    Questionnaire.objects.update(answers={"speciality": "radiation_oncology"})
    assert snapshot_sha256(world.trial) != frozen


def test_nobody_is_withdrawn_after_data_lock():
    world = finished_world()
    reader = Participant.objects.get()
    with pytest.raises(StateConflictError, match="nothing of its readings changes"):
        participant_withdraw(reader, reason_code="no_time", reason="Left", actor=world.actor)
    assert snapshot_sha256(world.trial) == world.trial.data_sha256


def test_unblinding_is_refused_where_the_data_differ_from_those_frozen():
    world = finished_world()
    Participant.objects.update(group="Another group")
    with pytest.raises(StateConflictError, match="hash must match"):
        world.act(TrialAction.UNBLIND)
    assert Trial.objects.get().state == "data-locked"


def test_opening_is_refused_where_the_allocation_is_not_the_seeds():
    world = factory.preference_world()
    world.act(TrialAction.LOCK)
    slots = list(world.trial.slots.order_by("number")[:2])
    for slot, number in zip(slots, (102, 101), strict=True):
        slot.number = number
        slot.save()
    with pytest.raises(StateConflictError, match="hash must match"):
        world.act(TrialAction.OPEN)


def test_imported_cell_with_a_character_that_no_database_holds_is_kept_without_it():
    world = factory.preference_world()
    content = b"participant,case,preferred,comment\nR1,C1,algorithm,a\x00b\nR2,C1,expert,\n"
    table = external_table_import(world.trial, content=content, file_name="readings.csv", actor=world.actor)
    table.refresh_from_db()
    assert table.rows["rows"] == [["R1", "C1", "algorithm", "a\ufffdb"], ["R2", "C1", "expert", None]]


def test_a_row_is_hashed_in_the_canonical_form_of_json():
    texts = ["", 'a"\\\n\x01é\U0001f600', "x" * 100]
    numbers = [0.0, -0.0, 1.0, 0.1 + 0.2, 1e21, 1e-7, 123456789012345680.0, 5e-324, 1, -7, 0, 2**53 - 1]
    values = [*texts, *numbers, True, False, None, [1, "b"], {"z": 1, "a": None}]
    row = {f"{name}{place}": value for place, value in enumerate(values) for name in "aé\ue000\U0001f600"}
    for _ in range(2):
        assert canonical_row(row) == rfc8785.dumps(row)
    for one in (1, True, 1.0, "1"):  # equal keys of a dictionary, and different values
        assert canonical_row({"k": one}) == rfc8785.dumps({"k": one})
    with pytest.raises(rfc8785.FloatDomainError):
        canonical_row({"k": float("nan")})
