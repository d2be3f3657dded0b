"""Heat maps of results by the interface: level by level on the case's image, or refused by an own code."""

import base64
import io
import json

import numpy as np
import pytest
import SimpleITK
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client as Browser

from equipoise.archive.models import StoredHeatMap
from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.common.permissions import Role
from equipoise.imaging.heat_map import heat_levels
from tests.factories import trials as factory
from tests.factories.accounts import create_token
from trials.domain.protocol.document import check_document
from trials.domain.results import UsedInTraining
from trials.models import AlgorithmCaseUse, AlgorithmHeatMap, AlgorithmResult, Participant
from trials.selectors.protocol import protocol_current
from trials.selectors.results import heat_map_of, used_in_training

pytestmark = [pytest.mark.django_db, pytest.mark.db]

WEIGHTS = "ab" * 32
MODEL = {"name": "Reader", "version": "1", "weights_sha256": WEIGHTS}
HEAT = np.random.default_rng(4).random(factory.PLANAR_SHAPE)


@pytest.fixture
def world():
    """A draft trial with two bone scans and one CT."""
    world = factory.preference_world(
        cases=0, practice=0, **{"algorithms.0.name": "Reader", "algorithms.0.version": "1"}
    )
    for number in range(2):
        factory.phantom_scan(world.trial, number=number)
    factory.phantom_case(world.trial, number=0)
    return world


@pytest.fixture
def bearer(world):
    _, secret = create_token(trial_id=world.trial.id, role=Role.ALGORITHM.value)
    return {"Authorization": f"Bearer {secret}"}


def npy(array, **options):
    sink = io.BytesIO()
    np.save(sink, array, **options)
    return sink.getvalue()


def heat_map(content, format_="npy", **changes):
    made = {"method": "Grad-CAM", "layer": "features.28", "target_class": "metastases"}
    return {"format": format_, "content": base64.b64encode(content).decode(), **made, **changes}


def item(heat, case="C-001", **changes):
    return {
        "key": f"k:{case}",
        "case": case,
        "model": MODEL,
        "task": "classification",
        "probability": 0.75,
        "heat_map": heat,
        **changes,
    }


def submit(world, bearer, *items):
    answer = Browser().post(
        f"/api/v1/trials/{world.trial.id}/results",
        data=json.dumps({"results": items}),
        content_type="application/json",
        headers=bearer,
    )
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def refused(world, bearer, document):
    before = set(default_store().keys())
    (row,) = submit(world, bearer, document)
    assert (row["outcome"], row["id"]) == ("refused", None)
    assert not AlgorithmResult.objects.exists()
    assert not AlgorithmHeatMap.objects.exists()
    assert not StoredHeatMap.objects.exists()
    assert not Participant.objects.filter(kind="algorithm").exists()
    assert set(default_store().keys()) == before
    return row["code"], row["data"]


def file_bytes(array, path, grid=None):
    image = SimpleITK.GetImageFromArray(array)
    if grid is not None:
        image.SetSpacing(grid.spacing_mm_xyz)
        image.SetOrigin(grid.origin_mm_xyz)
        image.SetDirection(grid.direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path.read_bytes()


def test_heat_map_is_kept_level_by_level_with_what_made_it(world, bearer):
    (row,) = submit(world, bearer, item(heat_map(npy(HEAT))))
    assert row["outcome"] == "stored", row
    heat = heat_map_of(AlgorithmResult.objects.get())
    assert np.array_equal(heat.levels, heat_levels(HEAT))
    assert np.abs(heat.values - HEAT).max() <= 1 / 510 + 1e-7
    assert (heat.method, heat.layer, heat.target_class) == ("Grad-CAM", "features.28", "metastases")
    assert heat.weights_sha256 == WEIGHTS


@pytest.mark.parametrize("name", ["h.nrrd", "h.nii", "h.nii.gz", "h.mha"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_same_levels_in_any_format_are_the_same_result(world, bearer, tmp_path, name, dtype):
    (first,) = submit(world, bearer, item(heat_map(npy(HEAT.astype(np.float32)))))
    array = heat_levels(HEAT.astype(np.float32)) if dtype == "uint8" else HEAT.astype(np.float32)
    format_ = {"h.nrrd": "nrrd", "h.mha": "metaimage"}.get(name, "nifti")
    (again,) = submit(world, bearer, item(heat_map(file_bytes(array, tmp_path / name), format_)))
    assert (again["outcome"], again["id"]) == ("unchanged", first["id"])
    raw = heat_map(array.tobytes(), "raw", shape=list(array.shape), dtype=dtype)
    assert submit(world, bearer, item(raw))[0]["outcome"] == "unchanged"
    assert StoredHeatMap.objects.count() == 1


def test_part_of_a_form_is_taken_and_an_absent_one_named(world, bearer):
    items = [
        item({"format": "npy", "part": "heat", "method": "CAM"}),
        item({"format": "npy", "part": "absent", "method": "CAM"}, "C-002"),
    ]
    answer = Browser().post(
        f"/api/v1/trials/{world.trial.id}/results",
        data={"results": json.dumps(items), "heat": SimpleUploadedFile("x", npy(HEAT))},
        headers=bearer,
    )
    first, second = answer.json()["results"]
    assert first["outcome"] == "stored"
    assert (second["code"], list(second["data"]["fields"])) == ("validation_failed", ["/heat_map/part"])


def test_heat_map_of_a_volume_lies_on_its_voxels_in_whatever_order(world, bearer, tmp_path):
    grid = world.trial.cases.get(code="C-003").images.get().volume.grid
    heat = np.random.default_rng(6).random(grid.shape_zyx, np.float32)
    upside_down = type(grid)(
        grid.shape_zyx,
        grid.spacing_mm_zyx,
        (0.0, 0.0, (grid.shape_zyx[0] - 1) * grid.spacing_mm_zyx[0]),
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
    )
    content = file_bytes(heat[::-1].copy(), tmp_path / "h.nrrd", upside_down)
    (row,) = submit(world, bearer, item(heat_map(content, "nrrd"), "C-003"))
    assert row["outcome"] == "stored", row
    assert np.array_equal(heat_map_of(AlgorithmResult.objects.get()).levels, heat_levels(heat))


def test_volume_elsewhere_is_on_the_wrong_grid(world, bearer, tmp_path):
    grid = world.trial.cases.get(code="C-003").images.get().volume.grid
    shifted = type(grid)(grid.shape_zyx, grid.spacing_mm_zyx, (5.0, 0.0, 0.0))
    content = file_bytes(np.zeros(grid.shape_zyx, np.float32), tmp_path / "h.nrrd", shifted)
    code, data = refused(world, bearer, item(heat_map(content, "nrrd"), "C-003"))
    assert (code, data) == ("result_wrong_grid", {"field": "/heat_map"})


def spoilt(value):
    array = HEAT.copy()
    array[1, 2, 3] = value
    return npy(array)


@pytest.mark.parametrize(
    ("heat", "code"),
    [
        (heat_map(spoilt(np.nan)), "result_not_a_number"),
        (heat_map(spoilt(np.inf)), "result_infinite"),
        (heat_map(spoilt(1.01)), "result_out_of_range"),
        (heat_map(spoilt(-0.01)), "result_out_of_range"),
        (heat_map(npy(HEAT[:, :, :-1])), "result_wrong_grid"),
        (heat_map(npy(HEAT[0])), "result_wrong_grid"),
        (heat_map(npy(np.array([{}], object), allow_pickle=True)), "result_unreadable_heat_map"),
        (heat_map(npy(HEAT.astype(np.int16))), "result_unreadable_heat_map"),
        (heat_map(b"hello"), "result_unreadable_heat_map"),
        (heat_map(b"hello", "nrrd"), "result_unreadable_heat_map"),
        (
            heat_map(HEAT.tobytes()[:-8], "raw", shape=[2, 40, 20], dtype="float64"),
            "result_unreadable_heat_map",
        ),
        ({**heat_map(b""), "content": "%%%"}, "result_unreadable_heat_map"),
        (heat_map(b"x", "raw"), "validation_failed"),
        (heat_map(npy(HEAT), shape=[2, 40, 20]), "validation_failed"),
        (heat_map(b"x", "raw", shape=[0, 40, 20], dtype="uint8"), "validation_failed"),
        ({"format": "npy", "content": "aGVsbG8="}, "validation_failed"),
        (heat_map(npy(HEAT), "gif"), "validation_failed"),
    ],
)
def test_each_fault_has_its_own_code_and_leaves_nothing(world, bearer, heat, code):
    assert refused(world, bearer, item(heat))[0] == code


def test_integer_volume_that_is_no_level_map_is_unreadable(world, bearer, tmp_path):
    content = file_bytes(np.zeros(factory.PLANAR_SHAPE, np.int16), tmp_path / "h.nrrd")
    assert refused(world, bearer, item(heat_map(content, "nrrd")))[0] == "result_unreadable_heat_map"


def test_heat_map_alone_is_no_answer_and_no_part_of_a_failure(world, bearer):
    heat = heat_map(npy(HEAT))
    assert refused(world, bearer, item(heat, probability=None))[0] == "result_incomplete"
    failure = item(heat, probability=None, failure={"code": "crashed"})
    assert refused(world, bearer, failure)[0] == "result_incomplete"


def test_other_heat_map_or_other_making_is_a_conflict(world, bearer):
    submit(world, bearer, item(heat_map(npy(HEAT))))
    files = set(default_store().keys())
    for other in (heat_map(npy(HEAT[::-1])), heat_map(npy(HEAT), layer="features.26"), None):
        assert submit(world, bearer, item(other))[0]["code"] == "result_conflict"
    assert set(default_store().keys()) == files


def test_repeats_share_a_stored_heat_map(world, bearer):
    for repeat in (1, 2):
        (row,) = submit(world, bearer, item(heat_map(npy(HEAT)), key=f"r{repeat}", repeat=repeat))
        assert row["outcome"] == "stored"
    assert StoredHeatMap.objects.count() == 1
    assert AlgorithmHeatMap.objects.count() == 2


def test_heat_map_cannot_be_changed_by_sql_and_its_hash_stands_in_the_trail(world, bearer):
    submit(world, bearer, item(heat_map(npy(HEAT))))
    for statement in (
        "UPDATE trials_algorithmheatmap SET method = 'other'",
        "DELETE FROM trials_algorithmheatmap",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    (entry,) = AuditEntry.objects.filter(kind="result:received")
    assert entry.after["heat_map"] == StoredHeatMap.objects.get().levels_sha256


def test_administrators_list_says_how_the_heat_map_was_made(world, bearer):
    submit(world, bearer, item(heat_map(npy(HEAT))), item(None, "C-002"))
    browser = Browser()
    browser.force_login(world.administrator)
    first, second = browser.get(f"/api/v1/trials/{world.trial.id}/results").json()["results"]
    assert first["heat_map"] == {
        "method": "Grad-CAM",
        "layer": "features.28",
        "target_class": "metastases",
        "levels_sha256": StoredHeatMap.objects.get().levels_sha256,
    }
    assert second["heat_map"] is None
    assert heat_map_of(AlgorithmResult.objects.get(case__code="C-002")) is None


def test_use_of_a_case_in_training_is_noted_once_and_not_changed(world, bearer):
    (first,) = submit(world, bearer, item(None))
    assert used_in_training(AlgorithmResult.objects.get()) == UsedInTraining.UNKNOWN
    noted = item(None, used_in_training="tuning")
    assert submit(world, bearer, noted)[0] == {**first, "outcome": "unchanged"}
    assert used_in_training(AlgorithmResult.objects.get()) == UsedInTraining.TUNING
    other = item(None, used_in_training="no", repeat=2, key="second")
    assert submit(world, bearer, other)[0]["code"] == "result_conflict"
    assert AlgorithmCaseUse.objects.get().used_in_training == "tuning"
    assert AlgorithmResult.objects.count() == 1
    (entry,) = AuditEntry.objects.filter(kind="participant:updated")
    assert entry.after == {"case": "C-001", "used_in_training": "tuning"}


def test_protocol_that_rules_training_use_out_speaks_for_every_case(world, bearer):
    submit(world, bearer, item(None))
    result = AlgorithmResult.objects.get()
    protocol = check_document(protocol_current(world.trial).document).protocol
    assert protocol.algorithms[0].used_in_training == "no"
    assert used_in_training(result, algorithm=protocol.algorithms[0]) == UsedInTraining.NO
    AlgorithmCaseUse.objects.create(
        participant=result.participant, case=result.case, used_in_training="training"
    )
    assert used_in_training(result, algorithm=protocol.algorithms[0]) == UsedInTraining.TRAINING
