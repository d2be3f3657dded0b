"""A contour under review from its source to the screen, back as an answer, and into the tables."""

import base64
import io
import json
import zipfile
from typing import Any

import numpy as np
import pytest

from equipoise.archive.selectors import stored_mask
from equipoise.archive.storage import default_store
from equipoise.common.errors import ValidationFailedError
from equipoise.imaging.mask import Mask, decode_mask
from equipoise.metrics import added_path_length, surface_distances
from tests.factories.contouring import (
    ENGINE,
    contouring_draft,
    drawn_answer,
    open_review_world,
    shifted,
    submit_drawing,
)
from tests.factories.trials import open_reading
from trials.domain.protocol.document import check_document
from trials.domain.states import TrialAction
from trials.models import Reading, Response, ResponseFile
from trials.reading_tasks.contour_review.task import ContourReviewTask, editing_seconds, start_mask
from trials.reports.contours import contours_zip
from trials.selectors.presentation import presentation_document
from trials.selectors.protocol import protocol_current, protocol_of_version
from trials.selectors.tables import readings_rows
from trials.services.analysis import FrozenReadings, _survey_parameters

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def _opened(**options: Any):
    world = open_review_world(**options)
    reader = world.enrol()
    return world, reader, open_reading(reader)


def verdict(kind: str, step: int = 1, **changes: Any) -> dict[str, Any]:
    """Return what a browser sends of a contour that was not edited."""
    return {
        "acceptability": step,
        "verdict": kind,
        "origin": "dont_know",
        "engine": ENGINE,
        "slice_ms": {"6": 1500},
        "reason_code": None,
        "comment": "",
        **changes,
    }


def edited(mask: Mask, step: int = 2, **changes: Any) -> dict[str, Any]:
    """Return what a browser sends of an edited contour."""
    return {**drawn_answer(mask), "acceptability": step, "verdict": "edit", "origin": "person", **changes}


def _stored_mask() -> np.ndarray:
    return decode_mask(default_store().read(ResponseFile.objects.get(name="mask").key)).array


def test_an_accepted_contour_is_stored_as_it_was_shown():
    _, reader, opened = _opened()
    start = start_mask(opened.reading)
    submit_drawing(reader, opened, verdict("accept"))
    np.testing.assert_array_equal(_stored_mask(), start.array)
    answer = Response.objects.get().answer
    assert (answer["verdict"], answer["acceptability"], answer["acts"]) == ("accept", 1, 0)
    assert (answer["editing_s"], answer["added_path_length_mm"], answer["surface_dice"]) == (0.0, 0.0, 1.0)
    assert answer["volume_ml"] == answer["start_volume_ml"] == pytest.approx(start.volume_ml, abs=1e-12)


def test_an_edited_contour_is_stored_with_what_was_changed():
    _, reader, opened = _opened(**{"tasks.0.surface_tolerance_mm": "0.9"})
    start = start_mask(opened.reading)
    end = shifted(start, 2)
    submit_drawing(reader, opened, edited(end))
    np.testing.assert_array_equal(_stored_mask(), end.array)
    answer = Response.objects.get().answer
    spacing = start.grid.spacing_mm_zyx
    assert answer["surface_tolerance_mm"] == 0.9
    kept = surface_distances(end.array, start.array, spacing).surface_dice(0.9)
    assert answer["surface_dice"] == pytest.approx(kept, abs=1e-12)
    assert 0.1 < kept < 0.9
    path = added_path_length(end.array, start.array, spacing).length_mm
    assert answer["added_path_length_mm"] == pytest.approx(path, abs=1e-9)
    assert path > 0
    slices = int(end.array.any(axis=(1, 2)).sum())
    assert answer["editing_s"] == pytest.approx(0.1 * (slices - 1) + 0.05)


def test_pauses_between_acts_count_up_to_the_idle_threshold():
    acts = [
        {"startMs": 1000, "endMs": 3000},
        {"startMs": 4000, "endMs": 4500},
        {"startMs": 904500, "endMs": 905500},
    ]
    assert editing_seconds(acts, idle_threshold_s=60) == pytest.approx(2 + 1 + 0.5 + 60 + 1)
    assert editing_seconds([], idle_threshold_s=60) == 0


def test_a_rejected_contour_needs_no_mask_and_stores_none():
    _, reader, opened = _opened()
    submit_drawing(reader, opened, verdict("reject", 4))
    assert not ResponseFile.objects.exists()
    answer = Response.objects.get().answer
    assert (answer["verdict"], answer["acceptability"]) == ("reject", 4)
    assert "surface_dice" not in answer
    opened.reading.refresh_from_db()
    assert opened.reading.state == "submitted"


def test_each_wrong_field_is_named_and_nothing_is_stored():
    _, reader, opened = _opened(cases=1)
    start = start_mask(opened.reading)
    mask = drawn_answer(start)["mask"]
    wrong = [
        (verdict("accept", 0), "/answer/acceptability", "1 (best) to 4; got 0"),
        (verdict("accept", 5), "/answer/acceptability", "1 (best) to 4; got 5"),
        (verdict("accept", True), "/answer/acceptability", "got True"),
        (verdict("keep"), "/answer/verdict", "accept, edit, reject; got 'keep'"),
        (verdict("accept", origin=None), "/answer/origin", "person, algorithm, dont_know; got None"),
        (verdict("accept", mask=mask), "/answer/mask", "Only an edited contour is sent"),
        (verdict("reject", acts=[{"tool": "brush"}]), "/answer/acts", "Only an edited contour is sent"),
        (verdict("accept", engine=None), "/answer/engine", "equipoise-canvas 1"),
        (verdict("accept", slice_ms={"99": 1}), "/answer/slice_ms", "no slice '99'"),
        (edited(start), "/answer/mask", "Nothing of the contour was changed"),
        (edited(Mask(np.zeros_like(start.array), start.grid)), "/answer/mask", "Nothing is drawn"),
        (edited(shifted(start, 1), acts=[]), "/answer/acts", "1 to 20000 acts"),
        (verdict("accept", source="expert"), "/answer/source", "not part of a contour-review answer"),
        (verdict("accept", reason_code="image_quality"), "/answer/verdict", "no answer but the reason"),
    ]
    for answer, pointer, says in wrong:
        with pytest.raises(ValidationFailedError) as refused:
            submit_drawing(reader, opened, answer)
        assert says in refused.value.data["fields"][pointer][0]["message"]
    assert not Response.objects.exists()
    assert not ResponseFile.objects.exists()


def test_where_editing_is_not_allowed_and_nobody_asks_who_made_it():
    _, reader, opened = _opened(cases=1, **{"tasks.0.allow_edit": False, "tasks.0.origin_question": None})
    setup = presentation_document(opened.reading, asset_tokens=opened.asset_tokens)["setup"]
    assert (setup["allow_edit"], setup["origin_question"]) == (False, None)
    for answer, pointer in (
        (edited(shifted(start_mask(opened.reading), 1), origin=None), "/answer/verdict"),
        (verdict("accept"), "/answer/origin"),
    ):
        with pytest.raises(ValidationFailedError) as refused:
            submit_drawing(reader, opened, answer)
        assert list(refused.value.data["fields"]) == [pointer]
    submit_drawing(reader, opened, verdict("accept", origin=None))


def test_cannot_assess_stores_a_reason_and_no_file():
    _, reader, opened = _opened()
    submit_drawing(reader, opened, {"reason_code": "image_quality", "comment": ""})
    assert Response.objects.get().answer == {"reason_code": "image_quality"}
    assert not ResponseFile.objects.exists()


def test_the_screen_is_sent_the_contour_and_nothing_of_whose_it_is():
    world, _, opened = _opened(cases=3)
    reading = opened.reading
    contour = reading.left
    documents = []
    for source in ("expert", "algorithm"):
        reading.left = reading.item.case.contours.get(source=source)
        document = presentation_document(reading, asset_tokens=opened.asset_tokens)
        shown = decode_mask(base64.b64decode(document["setup"].pop("start")))
        np.testing.assert_array_equal(shown.array, stored_mask(reading.left.mask).array)
        documents.append(json.dumps(document))
        assert document["condition"] is None
        start_frame = document["images"][0].pop("start_frame")
        assert shown.array[start_frame].sum() == shown.array.sum(axis=(1, 2)).max()
        for told in ("expert", "by_", str(reading.left.id), reading.left.mask.key, reading.item.case.code):
            assert told not in documents[-1]
    assert documents[0] == documents[1]
    assert contour.source in ("expert", "algorithm")
    assert "algorithm" not in documents[0]
    assert world.trial.state == "open"


def test_practice_too_shows_a_contour_and_each_case_one_of_the_two_balanced_over_readers():
    world = open_review_world(cases=4)
    for _ in range(2):
        world.enrol()
    readings = Reading.objects.filter(trial=world.trial).select_related("left")
    assert readings.filter(phase="practice").exists()
    shown = [(r.item_id, r.condition, r.left.source) for r in readings if r.phase != "practice"]
    assert len(shown) == len({(item, source) for item, _, source in shown}) == 8
    assert {(condition, source) for _, condition, source in shown} == {
        ("by_expert", "expert"),
        ("by_algorithm", "algorithm"),
    }
    assert all(reading.left is not None for reading in readings)


def _finished():
    """Accept the first, edit the second, reject the third."""
    world = open_review_world(cases=3, **{"practice.count": 0})
    reader = world.enrol()
    for kind in ("accept", "edit", "reject"):
        opened = open_reading(reader)
        answer = verdict(kind) if kind != "edit" else edited(shifted(start_mask(opened.reading), 1))
        submit_drawing(reader, opened, answer)
    return world


def test_before_unblinding_the_table_tells_neither_answers_nor_whose_contour():
    world = _finished()
    world.act(TrialAction.CLOSE)
    rows = list(readings_rows(world.trial, unblinded=False))
    assert len(rows) == 3
    for row in rows:
        told = (*ContourReviewTask.columns, "condition", "left_source", "left_contour_id")
        assert {row[name] for name in told} == {None}
        assert row["wall_s"] is not None
    with zipfile.ZipFile(io.BytesIO(contours_zip(world.trial))) as bundle:
        assert bundle.namelist() == []


def test_once_unblinded_the_table_tells_both_and_the_contours_leave_as_files():
    world = _finished()
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    rows = {row["verdict"]: row for row in readings_rows(world.trial, unblinded=True)}
    assert [rows[kind]["acceptability"] for kind in ("accept", "edit", "reject")] == [1, 2, 1]
    assert [rows[kind]["surface_dice"] for kind in ("accept", "reject")] == [1.0, None]
    assert rows["edit"]["added_path_length_mm"] > 0
    assert rows["edit"]["editing_s"] > 0
    assert (rows["accept"]["editing_s"], rows["reject"]["editing_s"]) == (0.0, None)
    for row in rows.values():
        assert row["condition"] == f"by_{row['left_source']}"
        reading = Reading.objects.get(trial=world.trial, position=row["position"])
        assert row["left_contour_id"] == str(reading.left_id)
    person = rows["edit"]["left_source"] == "expert"
    assert (rows["edit"]["origin_guess"], rows["edit"]["origin_correct"]) == ("person", int(person))
    assert rows["accept"]["origin_correct"] is None
    with zipfile.ZipFile(io.BytesIO(contours_zip(world.trial))) as bundle:
        assert len([name for name in bundle.namelist() if name.endswith(".nrrd")]) == 2


def test_the_planned_survey_counts_the_answers_by_condition():
    from equipoise.analysis.plan import AnalysisPlan
    from equipoise.analysis.run import run_analysis

    world = _finished()
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    task = protocol_of_version(protocol_current(world.trial)).task
    assert task is not None
    parameters = _survey_parameters(task)
    assert parameters["questions"] == ["acceptability", "verdict", "origin_guess"]
    assert parameters["levels_of"] == {"acceptability": "1,2,3,4"}
    result = run_analysis(
        "survey",
        FrozenReadings(world.trial).tables("survey"),
        plan=AnalysisPlan(parameters=parameters),
        rng_seed=1,
    )
    assert result.tables


def test_protocol_lock_wants_a_condition_per_candidate_and_asks_who_made_it_only_where_that_is_concealed():
    def problems(**changes: Any) -> set[str]:
        world = contouring_draft(
            protocol="contour-review", slug=f"draft-{len(changes)}", repeats=0, **changes
        )
        return {one.pointer for one in check_document(protocol_current(world.trial).document).lock_problems}

    assert problems() == set()
    conditions = [
        {"key": f"by_{source}", "label": source, "factor": "open", "candidate": source}
        for source in ("expert", "algorithm")
    ]
    assert problems(**{"allocation.design.conditions": conditions}) == {"/tasks/0/origin_question"}
    assert problems(
        **{"allocation.design": {"kind": "single", "conditions": []}, "tasks.0.acceptability": ["good"]}
    ) == {"/allocation/design/conditions", "/tasks/0/acceptability"}
