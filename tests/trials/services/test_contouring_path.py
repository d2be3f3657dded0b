"""Contours from a reader's screen into the store, the tables and the analyses."""

import base64
import gzip
import io
import json
import uuid
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
from django.test import Client

from equipoise.archive.storage import default_store
from equipoise.archive.verify import verify
from equipoise.common.errors import ValidationFailedError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask, decode_mask, encode_mask
from equipoise.metrics import dice, longest_axial_diameter_mm
from tests.factories.contouring import (
    contouring_world,
    draw_everything,
    drawn_answer,
    expert_mask,
    open_contouring_world,
    shifted,
    submit_drawing,
)
from tests.factories.trials import account_of, open_reading
from tests.trials.bundle.test_per_protocol import deviation
from trials.domain.results import Failure, FailureCode, ModelVersion, ResultIn, ResultTask, RunTime
from trials.domain.states import TrialAction
from trials.models import Response, ResponseFile
from trials.reports.contours import contours_zip
from trials.reports.exports import segmentations_csv
from trials.selectors.files import trial_file_digests
from trials.selectors.presentation import presentation_document
from trials.selectors.segmentations import segmentations_rows
from trials.selectors.tables import readings_rows
from trials.services.analysis import FrozenReadings
from trials.services.results import Sent, results_receive

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def _opened(**options: Any):
    world = open_contouring_world(**options)
    reader = world.enrol()
    return world, reader, open_reading(reader)


def _nothing_stored() -> bool:
    return not Response.objects.exists() and not ResponseFile.objects.exists()


def test_the_stored_mask_is_the_drawn_one_voxel_for_voxel():
    _, reader, opened = _opened()
    mask = shifted(expert_mask(opened.reading), 2)
    submit_drawing(reader, opened, drawn_answer(mask))
    response = Response.objects.get()
    file = response.files.get(name="mask")
    stored = decode_mask(default_store().read(file.key))
    np.testing.assert_array_equal(stored.array, mask.array)
    assert response.answer["files"]["mask"] == file.sha256
    assert response.answer["volume_ml"] == pytest.approx(mask.volume_ml, abs=1e-12)
    diameter = longest_axial_diameter_mm(mask.array, mask.grid.spacing_mm_zyx).length_mm
    assert response.answer["longest_axial_diameter_mm"] == pytest.approx(diameter, abs=1e-12)
    assert response.answer["engine"] == {"name": "equipoise-canvas", "version": "1"}


def test_log_and_polygons_are_kept_beside_the_mask():
    _, reader, opened = _opened()
    answer = drawn_answer(expert_mask(opened.reading))
    submit_drawing(reader, opened, answer)
    files = {file.name: default_store().read(file.key) for file in ResponseFile.objects.all()}
    assert json.loads(gzip.decompress(files["log"])) == answer["acts"]
    named = [verify(others=others).files_without_rows for others in (trial_file_digests(), {})]
    trial = str(opened.reading.trial_id)
    assert [sum(trial in key for key in keys) for keys in named] == [0, len(files)]
    polygons = json.loads(gzip.decompress(files["polygons"]))
    assert set(polygons) == set(answer["origins"])
    xs = [x for loops in polygons.values() for loop in loops for x, _ in loop]
    columns = np.flatnonzero(expert_mask(opened.reading).array.any(axis=(0, 1)))
    assert (min(xs), max(xs)) == (columns[0] - 0.5, columns[-1] + 0.5)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"mask": "no base64!"}, "/answer/mask", "cannot be read"),
    ({"mask": None}, "/answer/mask", "must be EQMK1 bytes"),
    ({"engine": {"name": "other", "version": "1"}}, "/answer/engine", "equipoise-canvas 1"),
    ({"engine": None}, "/answer/engine", "equipoise-canvas 1"),
    ({"acts": []}, "/answer/acts", "1 to 20000 acts"),
    ({"acts": [{"tool": "BRUSH", "startMs": 0, "endMs": 1}]}, "/answer/acts", "names no tool"),
    ({"acts": [{"tool": "brush", "startMs": "0", "endMs": 1}]}, "/answer/acts", "has no times"),
    ({"slice_ms": {"99": 5}}, "/answer/slice_ms", "no slice '99'"),
    ({"slice_ms": {"3": -1}}, "/answer/slice_ms", "-1 for slice 3"),
    ({"origins": {"3": "guessed"}}, "/answer/origins", "'guessed' for slice 3"),
    ({"origins": ["drawn"]}, "/answer/origins", "by slice number"),
    ({"side": "left"}, "/answer/side", "not part of a contouring answer"),
    ({"reason_code": "image_quality"}, "/answer/mask", "has no contour"),
]


def test_each_wrong_field_is_named_and_nothing_is_stored():
    _, reader, opened = _opened(cases=1, repeats=0)
    for changes, pointer, says in WRONG:
        with pytest.raises(ValidationFailedError) as refused:
            submit_drawing(reader, opened, drawn_answer(expert_mask(opened.reading), **changes))
        assert says in refused.value.data["fields"][pointer][0]["message"]
    assert _nothing_stored()
    opened.reading.refresh_from_db()
    assert opened.reading.state == "open"


def test_an_empty_contour_one_on_another_grid_and_a_boundless_one_are_refused():
    _, reader, opened = _opened(cases=1, repeats=0)
    grid = opened.reading.item.image.volume.grid
    moved = Grid(grid.shape_zyx, grid.spacing_mm_zyx, (5.0, 0.0, 0.0), grid.direction_3x3)
    full = np.ones(grid.shape_zyx, dtype=bool)
    body = bytearray(encode_mask(Mask(full, grid))[:-4])
    body[8:20] = (60_000).to_bytes(4, "little") * 3
    boundless = bytes(body) + zlib.crc32(bytes(body)).to_bytes(4, "little")
    for encoded, says in (
        (encode_mask(Mask(~full, grid)), "Nothing is drawn"),
        (encode_mask(Mask(full, moved)), "another grid"),
        (boundless, "another grid: shape 60000 x 60000 x 60000"),
    ):
        answer = drawn_answer(expert_mask(opened.reading), mask=base64.b64encode(encoded).decode())
        with pytest.raises(ValidationFailedError) as refused:
            submit_drawing(reader, opened, answer)
        assert says in refused.value.data["fields"]["/answer/mask"][0]["message"]
    assert _nothing_stored()


def test_cannot_assess_stores_a_reason_and_no_file():
    _, reader, opened = _opened()
    submit_drawing(reader, opened, {"reason_code": "image_quality", "comment": "motion"})
    assert Response.objects.get().answer == {"reason_code": "image_quality"}
    assert not ResponseFile.objects.exists()
    opened.reading.refresh_from_db()
    assert opened.reading.state == "not-assessable"


def test_the_same_answer_sent_again_stores_nothing_twice():
    _, reader, opened = _opened()
    answer, key = drawn_answer(expert_mask(opened.reading)), uuid.uuid4()
    submit_drawing(reader, opened, answer, key=key)
    kept = set(default_store().keys())
    assert submit_drawing(reader, opened, answer, key=key).repeated
    assert Response.objects.count() == 1
    assert set(default_store().keys()) == kept


def test_the_screen_is_sent_an_empty_volume_and_no_contour_of_anybody():
    _, _, opened = _opened()
    tokens = opened.asset_tokens
    document = presentation_document(opened.reading, asset_tokens=tokens)
    setup = document["setup"]
    assert set(setup) == {"kind", "grids", "style", "fused", "show_volume", "show_clock"}
    assert setup["grids"][0]["shape_zyx"] == [12, 48, 48]
    assert document["images"][0]["frame_count"] == 12
    assert (document["scroll"], setup["fused"], setup["show_volume"]) == (True, None, False)
    assert "expert" not in json.dumps(document)


def _finished(*, readers: int = 2, cases: int = 2):
    world = open_contouring_world(cases=cases)
    for pixels in range(readers):
        reader = world.enrol()
        assert draw_everything(reader, pixels=pixels) == cases + 2  # one repeat, one for practice
    return world


def _unblinded(world):
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    return world.trial


def test_answers_are_told_to_nobody_before_unblinding():
    world = _finished()
    world.act(TrialAction.CLOSE)
    assert list(segmentations_csv(world.trial))[1:] == []
    with zipfile.ZipFile(io.BytesIO(contours_zip(world.trial))) as bundle:
        assert bundle.namelist() == []
    assert {row["volume_ml"] for row in readings_rows(world.trial, unblinded=False)} == {None}


def test_every_pair_of_contours_stands_once_in_its_own_kind():
    world = _finished()
    trial = _unblinded(world)
    first, second = sorted(participant.code for participant in world.readers)
    rows = list(segmentations_rows(trial))
    pairs = sorted((row["kind"], row["first"], row["second"]) for row in rows)
    of_every_case = [
        ("inter", first, second),
        ("inter", "algorithm", first),
        ("inter", "algorithm", second),
        ("reference", "expert", "algorithm"),
        ("reference", "expert", first),
        ("reference", "expert", second),
    ]
    repeats = [pair for pair in pairs if pair[0] == "intra"]
    assert sorted(repeats) == [("intra", first, first), ("intra", second, second)]
    assert [pair for pair in pairs if pair[0] != "intra"] == sorted(2 * of_every_case)


def test_what_is_taken_out_of_the_per_protocol_set_is_out_with_every_pair_of_its_contours():
    world = _finished()
    case = world.trial.items.filter(practice=False).order_by("code")[0].case.code
    deviation(world, "case_material", case=case)
    failed = ResultIn(
        key=case,
        case=case,
        model=ModelVersion("Automatic lung tumour segmentation", "1.0", "ab" * 32),
        task=ResultTask.CONTOURING,
        failure=Failure(FailureCode.OTHER, "None"),
        run=RunTime(1.0),
    )
    [sent] = results_receive(world.trial, [Sent(case, case, failed)], actor=world.actor)
    assert sent.outcome == "stored", sent
    deviation(world, "technical", participant=world.trial.participants.get(kind="algorithm").code)
    flags = {
        (row["case"] == case, "algorithm" in (row["first"], row["second"]), row["flags"])
        for row in segmentations_rows(_unblinded(world))
    }
    assert flags == {
        (True, True, "not_per_protocol:technical not_per_protocol:case_material"),
        (True, False, "not_per_protocol:case_material"),
        (False, True, "not_per_protocol:technical"),
        (False, False, ""),
    }


def test_metrics_are_those_of_the_drawn_masks():
    world = _finished(readers=1, cases=1)
    trial = _unblinded(world)
    code = world.readers[0].code
    rows = {(row["kind"], row["second"]): row for row in segmentations_rows(trial)}
    item = trial.items.get(practice=False)
    expert = expert_mask(item.readings.first())
    assert rows["reference", code]["dice"] == 1.0
    assert rows["intra", code]["dice"] == pytest.approx(
        dice(expert.array, shifted(expert, 1).array), abs=1e-12
    )
    assert rows["intra", code]["hausdorff_mm"] == pytest.approx(1.0, abs=1e-9)


def test_the_observer_analyses_run_on_the_trials_own_contours():
    from equipoise.analysis.plan import AnalysisPlan
    from equipoise.analysis.run import run_analysis

    trial = _unblinded(_finished(readers=2, cases=2))
    tables = FrozenReadings(trial).tables("observer-variability")
    plan = AnalysisPlan(parameters={"algorithms": ["algorithm"], "n_resamples": 50})
    result = run_analysis("observer-variability", tables, plan=plan, rng_seed=1)
    between = result.number("dice.median", family="reader-reader").value
    assert 0.8 < between < 1.0
    assert result.number("dice.median", family="intra-reader").value < 1.0
    performance = run_analysis(
        "segmentation-performance",
        FrozenReadings(trial).tables("segmentation-performance"),
        plan=AnalysisPlan(),
        rng_seed=1,
    )
    assert performance.tables


def test_contours_leave_as_files_that_other_software_reads(tmp_path):
    import SimpleITK

    world = _finished(readers=1, cases=1)
    trial = _unblinded(world)
    with zipfile.ZipFile(io.BytesIO(contours_zip(trial))) as bundle:
        names = bundle.namelist()
        bundle.extractall(tmp_path)
    code, case = world.readers[0].code, trial.items.get(practice=False).case.code
    assert sorted(names) == sorted(
        f"{case}/{code}-repeat{repeat}{part}"
        for repeat in (1, 2)
        for part in (".nrrd", "-log.json", "-polygons.json")
    )
    image = SimpleITK.ReadImage(tmp_path / f"{case}/{code}-repeat1.nrrd")
    expert = expert_mask(trial.items.get(practice=False).readings.first())
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).astype(bool), expert.array)


def test_pairs_and_contours_are_downloaded_by_those_who_may_export():
    world = _finished(readers=1, cases=1)
    trial = _unblinded(world)
    administrator, reader = Client(), Client()
    administrator.force_login(world.administrator)
    reader.force_login(account_of(world.readers[0]))
    path = f"/api/v1/trials/{trial.id}/export"
    table = administrator.get(f"{path}/segmentations.csv")
    lines = b"".join(table).decode().splitlines()
    assert lines[0].startswith("case,item,first,second,kind,dice,jaccard,surface_dice")
    assert len(lines) == 1 + 3 + 1  # two against the reference, one with the algorithm, one with oneself
    with zipfile.ZipFile(io.BytesIO(administrator.get(f"{path}/contours.zip").content)) as bundle:
        assert len(bundle.namelist()) == 6
    assert reader.get(f"{path}/segmentations.csv").status_code == 404
    assert reader.get(f"{path}/contours.zip").status_code == 404


def test_the_shipped_protocol_locks():
    world = contouring_world()
    world.act(TrialAction.LOCK)
    assert world.trial.state == "locked"
