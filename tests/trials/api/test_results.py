"""Results of algorithms by the interface: stored once and whole, or refused by an own code with nothing left."""

import base64
import json
import random
import threading
import uuid

import numpy as np
import pytest
import SimpleITK
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client

from equipoise.archive.models import StoredMask
from equipoise.archive.selectors import stored_mask_array
from equipoise.archive.services import patient_store
from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.common.permissions import Role
from equipoise.imaging.dicom_write import write_structure_set
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume
from tests.factories import trials as factory
from tests.factories.accounts import create_token
from tests.factories.trials import phantom_case
from trials.domain.states import TrialAction
from trials.models import AlgorithmResult, AlgorithmVersion, Case, CaseImage, Contour, Participant

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"
WEIGHTS = "ab" * 32
MODEL = {"name": "Segmenter", "version": "2.1", "weights_sha256": WEIGHTS}
BLOCK = (slice(4, 8), slice(20, 27), slice(18, 26))
"""Voxels of the mask that the tests send: 4 slices of 7 rows and 8 columns."""


@pytest.fixture
def world():
    """A draft trial with two cases, each with the expert's contour alone."""
    world = factory.preference_world(
        cases=0,
        practice=0,
        **{
            "algorithms.0.name": MODEL["name"],
            "algorithms.0.version": MODEL["version"],
            "algorithms.0.weights_sha256": WEIGHTS,
            "algorithms.0.weights_unknown_because": None,
        },
    )
    for number in range(2):
        phantom_case(world.trial, number=number)
    Contour.objects.filter(source="algorithm").delete()
    StoredMask.objects.filter(source="algorithm").delete()
    return world


@pytest.fixture
def bearer(world):
    _, secret = create_token(trial_id=world.trial.id, role=Role.ALGORITHM.value)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def case(world):
    return world.trial.cases.get(code="C-001")


def volume_of(case):
    return case.images.get().volume


def block_mask(case):
    volume = volume_of(case)
    array = np.zeros(volume.shape_zyx, dtype=bool)
    array[BLOCK] = True
    return Mask(array, volume.grid)


def file_bytes(mask, path):
    image = SimpleITK.GetImageFromArray(mask.array.astype(np.uint8))
    image.SetSpacing(mask.grid.spacing_mm_xyz)
    image.SetOrigin(mask.grid.origin_mm_xyz)
    image.SetDirection(mask.grid.direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(path))
    return path.read_bytes()


def block_polygons(case):
    """Return the block's outline on each of its slices, half a voxel around the centres, in mm."""
    grid = volume_of(case).grid
    z, y, x = BLOCK
    corners = [(x.start, y.start), (x.stop, y.start), (x.stop, y.stop), (x.start, y.stop)]
    return [
        grid.index_to_patient(np.array([(cx - 0.5, cy - 0.5, k) for cx, cy in corners])).tolist()
        for k in range(z.start, z.stop)
    ]


def item(case_code="C-001", **changes):
    return {"key": f"run-1/{case_code}".replace("/", ":"), "case": case_code, "model": MODEL, **changes}


def contoured(case, **changes):
    return item(case.code, contour={"polygons": block_polygons(case)}, **changes)


def submit(world, bearer, items, status=200):
    answer = Client().post(
        f"{API}/trials/{world.trial.id}/results",
        data=json.dumps({"results": items}),
        content_type="application/json",
        headers=bearer,
    )
    assert answer.status_code == status, answer.content
    return answer.json()


def refused(world, bearer, document):
    """Send one item, want it refused with nothing left behind, and return its report."""
    before = set(default_store().keys())
    report = submit(world, bearer, [document])
    assert (report["stored"], report["unchanged"], report["refused"]) == (0, 0, 1)
    assert not AlgorithmResult.objects.exists()
    assert not Participant.objects.filter(kind="algorithm").exists()
    assert not Contour.objects.filter(source="algorithm").exists()
    assert set(default_store().keys()) == before
    (row,) = report["results"]
    assert (row["outcome"], row["id"]) == ("refused", None)
    return row


def test_polygons_become_the_candidate_voxel_by_voxel(world, bearer, case):
    run = {"seconds": 12.5, "hardware": "one GPU", "device": "cuda", "cold_start_seconds": 3}
    report = submit(world, bearer, [contoured(case, run=run, probability=0.25)])
    (row,) = report["results"]
    assert (row["outcome"], row["key"], row["code"]) == ("stored", "run-1:C-001", None)
    contour = case.contours.get(source="algorithm")
    assert np.array_equal(stored_mask_array(contour.mask), block_mask(case).array)
    assert contour.voxel_count == 4 * 7 * 8
    stored = AlgorithmResult.objects.get()
    assert str(stored.id) == row["id"]
    assert (stored.contour, stored.mask_id) == (contour, contour.mask_id)
    assert (stored.run_s, stored.cold_start_s, stored.hardware, stored.device) == (
        12.5,
        3.0,
        "one GPU",
        "cuda",
    )
    assert stored.probability == 0.25
    assert (stored.participant.code, stored.participant.kind) == ("A-01", "algorithm")


@pytest.mark.parametrize(
    ("format_", "name"),
    [("nrrd", "m.nrrd"), ("nifti", "m.nii"), ("nifti", "m.nii.gz"), ("metaimage", "m.mha")],
)
def test_mask_file_in_any_format_gives_the_same_voxels(world, bearer, case, tmp_path, format_, name):
    content = base64.b64encode(file_bytes(block_mask(case), tmp_path / name)).decode()
    report = submit(world, bearer, [item(contour={"format": format_, "content": content})])
    assert report["stored"] == 1, report
    stored = case.contours.get(source="algorithm").mask
    assert np.array_equal(stored_mask_array(stored), block_mask(case).array)


def test_structure_set_and_masks_come_as_parts_of_a_form(world, bearer, case, tmp_path):
    other = world.trial.cases.get(code="C-002")
    path = tmp_path / "rs.dcm"
    write_structure_set({"GTV": block_mask(case)}, path, patient_code="X", namespace=uuid.UUID(int=1))
    items = [
        item(contour={"format": "dicom", "part": "a", "label": "GTV"}),
        item("C-002", contour={"format": "nrrd", "part": "b"}),
        item("C-002", key="third", contour={"format": "nrrd", "part": "absent"}),
    ]
    answer = Client().post(
        f"{API}/trials/{world.trial.id}/results",
        data={
            "results": json.dumps(items),
            "a": SimpleUploadedFile("a.dcm", path.read_bytes()),
            "b": SimpleUploadedFile("b", file_bytes(block_mask(other), tmp_path / "b.nrrd")),
        },
        headers=bearer,
    )
    assert answer.status_code == 200, answer.content
    report = answer.json()
    assert [(row["outcome"], row["code"]) for row in report["results"]] == [
        ("stored", None),
        ("stored", None),
        ("refused", "validation_failed"),
    ]
    for one in (case, other):
        stored = one.contours.get(source="algorithm").mask
        assert np.array_equal(stored_mask_array(stored), block_mask(one).array)


def test_candidates_that_were_sent_are_drawn_as_pairs(world, bearer):
    world.trial.items.all().delete()
    items = [
        item(
            case.code,
            contour={
                "format": "nrrd",
                "content": base64.b64encode(_expert_file(case, world)).decode(),
            },
        )
        for case in world.trial.cases.all()
    ]
    assert submit(world, bearer, items)["stored"] == 2
    client = Client()
    client.force_login(world.administrator)
    draw = client.post(f"{API}/trials/{world.trial.id}/items").json()
    assert {one["case"] for one in draw["drawn"]} == {"C-001", "C-002"}
    assert {one["dice"] for one in draw["drawn"]} == {1.0}


def _expert_file(case, world):
    import tempfile
    from pathlib import Path

    mask = case.contours.get(source="expert").mask
    with tempfile.TemporaryDirectory() as folder:
        return file_bytes(Mask(stored_mask_array(mask), mask.volume.grid), Path(folder) / "m.nrrd")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"probability": float("nan")}, "result_not_a_number"),
        ({"rating": float("inf")}, "result_infinite"),
        ({"probability": float("-inf")}, "result_infinite"),
        ({"probability": 1.0001}, "result_out_of_range"),
        ({"probability": -0.1}, "result_out_of_range"),
        ({"rating": 101}, "result_out_of_range"),
        ({"run": {"seconds": float("nan")}}, "result_not_a_number"),
        ({"run": {"seconds": -1}}, "result_out_of_range"),
        ({"run": {"seconds": 1, "cold_start_seconds": float("inf")}}, "result_infinite"),
        ({"case": "C-999"}, "result_unknown_case"),
        ({"model": {**MODEL, "weights_sha256": "cd" * 32}}, "result_unknown_model"),
        ({"model": {**MODEL, "version": "2.2"}}, "result_unknown_model"),
        ({"contour": None}, "result_incomplete"),
        ({"contour": None, "probability": 0.5}, "result_incomplete"),
        ({"failure": {"code": "crashed"}}, "result_incomplete"),
        ({"contour": {"polygons": []}}, "result_empty_mask"),
        ({"contour": {"polygons": [[[1.2, 1.2, 3], [1.4, 1.2, 3], [1.2, 1.4, 3]]]}}, "result_empty_mask"),
        ({"contour": {"format": "nrrd", "content": "%%%"}}, "result_unreadable_mask"),
        ({"contour": {"format": "nrrd", "content": "aGVsbG8="}}, "result_unreadable_mask"),
        ({"contour": {"format": "dicom", "content": "aGVsbG8="}}, "result_unreadable_mask"),
        ({"contour": {"format": "nifti", "content": ""}}, "validation_failed"),
        ({"contour": {"polygons": [[[1, 2], [3, 4], [5, 6]]]}}, "validation_failed"),
        ({"contour": {"content": "aGVsbG8="}}, "validation_failed"),
        ({"key": "../../x"}, "validation_failed"),
        ({"failure": {"code": "bored"}, "contour": None}, "validation_failed"),
        ({"probability": "high"}, "validation_failed"),
        ({"probability": True}, "validation_failed"),
        ({"probability": 10**400}, "result_infinite"),
        ({"run": {"seconds": "NaN"}}, "result_not_a_number"),
    ],
)
def test_each_fault_has_its_own_code_and_leaves_nothing(world, bearer, case, changes, code):
    row = refused(world, bearer, contoured(case) | changes)
    assert row["code"] == code
    assert row["detail"]
    assert AuditEntry.objects.filter(kind="result:received").count() == 0


def test_coordinates_that_are_no_numbers_have_their_codes(world, bearer, case):
    for value, code in ((float("nan"), "result_not_a_number"), (float("inf"), "result_infinite")):
        polygons = block_polygons(case)
        polygons[1][2][0] = value
        assert refused(world, bearer, item(contour={"polygons": polygons}))["code"] == code


def test_contour_off_the_images_voxels_is_on_the_wrong_grid(world, bearer, case, tmp_path):
    mask = block_mask(case)
    shifted = type(mask.grid)(mask.grid.shape_zyx, mask.grid.spacing_mm_zyx, (5.0, 0.0, 0.0))
    small = type(mask.grid)((12, 48, 40), mask.grid.spacing_mm_zyx)
    for number, other in enumerate((Mask(mask.array, shifted), Mask(mask.array[:, :, :40], small))):
        content = base64.b64encode(file_bytes(other, tmp_path / f"{number}.nrrd")).decode()
        row = refused(world, bearer, item(contour={"format": "nrrd", "content": content}))
        assert row["code"] == "result_wrong_grid"
    for shift_mm in (1.4, 300.0):
        polygons = [[[x, y, z + shift_mm] for x, y, z in loop] for loop in block_polygons(case)]
        assert refused(world, bearer, item(contour={"polygons": polygons}))["code"] == "result_wrong_grid"
    tilted = [[[x, y, z + 0.1 * x] for x, y, z in loop] for loop in block_polygons(case)]
    assert refused(world, bearer, item(contour={"polygons": tilted}))["code"] == "result_wrong_grid"


def test_empty_mask_file_is_no_result_but_may_be_sent_as_a_failure(world, bearer, case, tmp_path):
    empty = Mask(np.zeros(volume_of(case).shape_zyx, dtype=bool), volume_of(case).grid)
    content = base64.b64encode(file_bytes(empty, tmp_path / "m.nrrd")).decode()
    row = refused(world, bearer, item(contour={"format": "nrrd", "content": content}))
    assert row["code"] == "result_empty_mask"
    failure = {"code": "empty_result", "detail": "nothing above the threshold"}
    assert submit(world, bearer, [item(failure=failure)])["stored"] == 1
    stored = AlgorithmResult.objects.get()
    assert (stored.failure_code, stored.mask, stored.note.text) == (
        "empty_result",
        None,
        "nothing above the threshold",
    )
    assert not case.contours.filter(source="algorithm").exists()


def test_item_sent_again_is_stored_once_in_whatever_format(world, bearer, case, tmp_path):
    first = submit(world, bearer, [contoured(case)])["results"][0]
    files = set(default_store().keys())
    content = base64.b64encode(file_bytes(block_mask(case), tmp_path / "m.nrrd")).decode()
    same = item(contour={"format": "nrrd", "content": content})
    for document in (contoured(case), same, {**same, "key": "other-key"}):
        row = submit(world, bearer, [document])["results"][0]
        assert (row["outcome"], row["id"]) == ("unchanged", first["id"])
    assert AlgorithmResult.objects.count() == 1
    assert set(default_store().keys()) == files
    assert AuditEntry.objects.filter(kind="result:received").count() == 1


def test_second_submission_with_other_content_is_a_conflict_and_the_first_stands(world, bearer, case):
    submit(world, bearer, [contoured(case, probability=0.25)])
    files = set(default_store().keys())
    smaller = item(contour={"polygons": block_polygons(case)[:2]}, probability=0.25)
    for document in (contoured(case, probability=0.5), smaller, {**smaller, "key": "new"}):
        row = submit(world, bearer, [document])["results"][0]
        assert (row["outcome"], row["code"]) == ("refused", "result_conflict")
    assert AlgorithmResult.objects.get().probability == 0.25
    assert case.contours.get(source="algorithm").voxel_count == 224
    assert set(default_store().keys()) == files


def test_contour_that_came_by_another_door_is_not_replaced(world, bearer):
    case = phantom_case(world.trial, number=7)
    before = set(default_store().keys())
    row = submit(world, bearer, [contoured(case)])["results"][0]
    assert row["code"] == "result_conflict"
    assert not AlgorithmResult.objects.exists()
    assert not AlgorithmVersion.objects.exists()
    assert set(default_store().keys()) == before
    assert StoredMask.objects.filter(volume=volume_of(case), source="algorithm").count() == 1


def test_one_bad_item_stops_no_other(world, bearer, case):
    other = world.trial.cases.get(code="C-002")
    items = [
        contoured(case),
        "nonsense",
        contoured(other, probability=2),
        item("C-003", probability=0.1),
        contoured(other),
    ]
    report = submit(world, bearer, items)
    assert [(row["index"], row["outcome"], row["code"]) for row in report["results"]] == [
        (0, "stored", None),
        (1, "refused", "validation_failed"),
        (2, "refused", "result_out_of_range"),
        (3, "refused", "result_incomplete"),
        (4, "stored", None),
    ]
    assert (report["stored"], report["unchanged"], report["refused"]) == (2, 0, 3)


def test_results_of_other_tasks_are_kept_apart_from_the_candidates(world, bearer, case):
    items = [
        contoured(case, task="contouring"),
        contoured(case, task="contouring", repeat=2, key="again"),
        item(task="classification", key="c", probability=0.9, rating=88),
    ]
    assert submit(world, bearer, items)["stored"] == 3
    assert not case.contours.filter(source="algorithm").exists()
    rows = list(AlgorithmResult.objects.order_by("id").values_list("task", "repeat", "contour", "rating"))
    assert rows == [
        ("contouring", 1, None, None),
        ("contouring", 2, None, None),
        ("classification", 1, None, 88.0),
    ]
    assert Participant.objects.filter(kind="algorithm").count() == 1


def test_candidates_are_refused_after_protocol_lock_other_tasks_until_data_lock():
    world = factory.open_world(**{"algorithms.0.name": "Segmenter", "algorithms.0.version": "2.1"})
    _, secret = create_token(trial_id=world.trial.id)
    headers = {"Authorization": f"Bearer {secret}"}
    locked_model = {**MODEL, "weights_sha256": _weights(world)}
    case = world.trial.cases.get(code="C-001")
    document = contoured(case) | {"model": locked_model}
    row = submit(world, headers, [document])["results"][0]
    assert (row["code"], row["data"]["state"]) == ("state_conflict", "open")
    assert not AlgorithmResult.objects.exists()
    assert submit(world, headers, [{**document, "task": "contouring"}])["stored"] == 1
    factory.read_everything(world.enrol())
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    late = {**document, "task": "contouring", "repeat": 2, "key": "late"}
    assert submit(world, headers, [late])["results"][0]["code"] == "state_conflict"
    assert AlgorithmResult.objects.count() == 1


def _weights(world):
    return world.trial.protocol_versions.get().document["algorithms"][0].get("weights_sha256") or WEIGHTS


def test_trail_and_rows_hold_no_key_and_no_words_of_the_sender(world, bearer, case):
    failure = {"code": "crashed", "detail": "MILLER^ANNA on node 7"}
    submit(world, bearer, [item(key="MILLER-ANNA-1950", failure=failure)])
    (entry,) = AuditEntry.objects.filter(kind="result:received")
    row = AlgorithmResult.objects.get()
    assert entry.subject == f"result:{row.id}"
    assert entry.after == {
        "case": "C-001",
        "participant": "A-01",
        "task": "preference",
        "content_sha256": row.content_sha256,
        "contour": False,
        "failure": "crashed",
    }
    values = [str(value) for value in AlgorithmResult.objects.values_list()[0]]
    assert not any("MILLER" in value for value in values)


def test_stored_result_cannot_be_changed_by_sql(world, bearer, case):
    submit(world, bearer, [contoured(case, probability=0.25)])
    for statement in (
        "UPDATE trials_algorithmresult SET probability = 0.9",
        "DELETE FROM trials_algorithmresult",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AlgorithmResult.objects.get().probability == 0.25


def _mutated(document, rng):
    """Return a copy of a JSON document with one value somewhere replaced by something strange."""
    strange = [
        None,
        True,
        "",
        "\ud800",
        "x" * 5000,
        -1,
        10**400,
        1e308,
        float("nan"),
        [],
        [[]],
        {},
        {"a": []},
        "\x00",
    ]
    copy = json.loads(json.dumps(document))
    holder = copy
    while True:
        step = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[step]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            holder[step] = rng.choice(strange)
            return copy
        holder = inner


def test_strange_values_anywhere_never_break_the_answer(world, bearer, case):
    rng = random.Random(20260107)
    run = {"seconds": 2.0, "hardware": "x", "device": "cpu", "cold_start_seconds": 1.0}
    whole = [
        contoured(case, task="contouring", run=run, probability=0.5, rating=3),
        item(contour={"format": "dicom", "content": "aGVsbG8=", "label": "GTV"}),
        item(failure={"code": "crashed", "detail": "x"}),
    ]
    for _ in range(8):
        items = [_mutated(rng.choice(whole), rng) for _ in range(40)]
        report = submit(world, bearer, items)
        assert [row["index"] for row in report["results"]] == list(range(40))
        assert report["stored"] + report["unchanged"] + report["refused"] == 40
        assert all(row["code"] and row["detail"] for row in report["results"] if row["outcome"] == "refused")


def test_administrators_pages_show_the_algorithm_as_a_participant(world, bearer, case):
    submit(world, bearer, [contoured(case)])
    client = Client()
    client.force_login(world.administrator)
    base = f"{API}/trials/{world.trial.id}"
    (row,) = client.get(f"{base}/participants").json()["results"]
    assert (row["code"], row["kind"]) == ("A-01", "algorithm")
    for page in ("monitor", "cases", "audit", ""):
        assert client.get(f"{base}/{page}".rstrip("/")).status_code == 200


def test_program_of_another_trial_and_readers_are_told_nothing(world, case):
    _, elsewhere = create_token()
    answer = submit(world, {"Authorization": f"Bearer {elsewhere}"}, [contoured(case)], status=404)
    assert answer["code"] == "not_found"
    client = Client()
    client.force_login(world.statistician)
    path = f"{API}/trials/{world.trial.id}/results"
    sent = client.post(path, data="{}", content_type="application/json")
    assert (sent.status_code, sent.json()["code"]) == (403, "permission_denied")
    assert not AlgorithmResult.objects.exists()


def test_algorithms_token_sends_and_sees_nothing(world, bearer, case):
    submit(world, bearer, [contoured(case)])
    path = f"{API}/trials/{world.trial.id}"
    for address in (f"{path}/results", f"{path}/cases", path):
        assert Client().get(address, headers=bearer).status_code == 404


def test_results_are_listed_in_pages_for_those_who_may_see_sources(world, bearer, case):
    submit(
        world,
        bearer,
        [
            contoured(case, run={"seconds": 2}),
            item("C-002", failure={"code": "timed_out", "detail": "after 1 h"}),
        ],
    )
    client = Client()
    client.force_login(world.administrator)
    path = f"{API}/trials/{world.trial.id}/results?page_size=1"
    first = client.get(path).json()
    (one,) = first["results"]
    assert (one["case"], one["participant"], one["source"], one["is_candidate"]) == (
        "C-001",
        "A-01",
        "algorithm",
        True,
    )
    assert (one["model"], one["volume_ml"], one["run"]["seconds"]) == (MODEL, 0.672, 2.0)
    (two,) = client.get(first["next"]).json()["results"]
    assert two["failure"] == {"code": "timed_out", "detail": "after 1 h"}
    assert (two["case"], two["volume_ml"], two["run"]) == ("C-002", None, None)
    for query, cases in {
        "case=C-002": ["C-002"],
        "participant=A-01": ["C-001", "C-002"],
        "case=C-002&participant=A-02": [],
        "task=preference": ["C-001", "C-002"],
        "task=classification": [],
    }.items():
        kept = client.get(f"{path.partition('?')[0]}?{query}").json()["results"]
        assert [row["case"] for row in kept] == cases, query
    assert client.get(f"{path}&task=other").status_code == 400


@pytest.mark.parametrize("body", [[], {}, {"results": []}, {"results": {}}, {"results": [{}] * 101}])
def test_body_that_is_no_list_of_items_is_refused_whole(world, bearer, body):
    answer = Client().post(
        f"{API}/trials/{world.trial.id}/results",
        data=json.dumps(body),
        content_type="application/json",
        headers=bearer,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


def test_polygons_fit_an_image_that_was_turned_for_display(world, bearer):
    """The scan runs from head to feet: its slices are stored in reverse, and contours are in patient coordinates."""
    shape, down = factory.SHAPE, ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    grid = Grid(shape, factory.SPACING_MM, (0.0, 0.0, 33.0), down)
    array = np.random.default_rng(5).integers(-1000, 100, shape).astype(np.int16)
    stored = patient_store(
        ImageVolume(array=array, grid=grid),
        {},
        trial_id=world.trial.id,
        institute_id=world.trial.institute_id,
    )
    case = Case.objects.create(
        trial=world.trial,
        code="C-003",
        patient_key="f" * 64,
        pixel_sha256=stored.volume.pixel_hash,
        created_at=world.trial.created_at,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    assert stored.volume.transform.flips_zyx == (True, False, False)
    sent = np.zeros(shape, dtype=bool)
    sent[1, 20:27, 18:26] = True
    corners = np.array([(17.5, 19.5, 1), (25.5, 19.5, 1), (25.5, 26.5, 1), (17.5, 26.5, 1)])
    polygons = [grid.index_to_patient(corners).tolist()]
    assert polygons[0][0][2] == 30.0
    assert submit(world, bearer, [item("C-003", contour={"polygons": polygons})])["stored"] == 1
    kept = stored_mask_array(case.contours.get().mask)
    assert np.array_equal(kept, sent[::-1])


def test_same_item_from_several_requests_at_once_is_stored_once(flushing_db):
    world = factory.preference_world(
        cases=0, practice=0, **{"algorithms.0.name": MODEL["name"], "algorithms.0.version": MODEL["version"]}
    )
    case = phantom_case(world.trial, number=0)
    _, secret = create_token(trial_id=world.trial.id)
    headers = {"Authorization": f"Bearer {secret}"}
    document = contoured(case, task="contouring")
    outcomes, start = [], threading.Barrier(4)

    def send():
        try:
            start.wait()
            outcomes.append(submit(world, headers, [document])["results"][0]["outcome"])
        finally:
            connection.close()

    before = set(default_store().keys())
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["stored", "unchanged", "unchanged", "unchanged"]
    assert AlgorithmResult.objects.count() == 1
    added = set(default_store().keys()) - before
    assert added == {AlgorithmResult.objects.get().mask.key}
