"""A model version is enrolled, run over the cases by the site itself, and never twice."""

import uuid

import numpy as np
import pydicom
import pytest

from equipoise.archive.models import StoredMask
from equipoise.archive.selectors import stored_mask_array, stored_volume_image
from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import DomainError, StateConflictError, ValidationFailedError
from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.geometry import Grid
from equipoise.imaging.reading import FileOutcome
from equipoise.imaging.volume import ImageVolume
from equipoise.inference.run import run_classification, run_segmentation
from equipoise.inference.runtime import Runtime
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job, JobItem
from equipoise.jobs.services import job_cancel, job_retry
from tests.factories import trials as factory
from tests.trials.algorithms.conftest import SHAPE, SPACING_MM, chest_case
from trials.domain.results import FailureCode, ResultTask, ResultUnknownModelError
from trials.models import (
    AlgorithmPipeline,
    AlgorithmResult,
    AlgorithmRun,
    AlgorithmVersion,
    CasePurpose,
    Contour,
    Participant,
)
from trials.selectors import weights as weights_selectors
from trials.selectors.algorithm_tables import results_current
from trials.selectors.algorithms import algorithms_document, reproducibility_of
from trials.selectors.results import heat_map_of
from trials.services import algorithm_case
from trials.services.algorithm import algorithm_enrol, algorithm_run
from trials.services.ingest import trial_ingest_folder
from trials.services.items import items_draw

NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000006")

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def bells(monkeypatch):
    """No broker is met by accident: jobs wait until a test does them."""
    from equipoise.jobs import services

    class Bell:
        def send_task(self, name, args, queue):
            assert queue == "inference"

    monkeypatch.setattr(services, "current_app", Bell())


def enrol(world, card, *, pipeline="nsclc", source="algorithm"):
    return algorithm_enrol(
        world.trial, source=source, pipeline=pipeline, weights_sha256=card.sha256, actor=world.actor
    ).participant


def run(world, participant, *, task=ResultTask.CONTOURING, repeat=1):
    return algorithm_run(world.trial, participant, task=task, repeat=repeat, actor=world.actor)


def done(algorithm_run_row):
    return job_run_inline(algorithm_run_row.job_id)


def weights_file(card):
    return weights_selectors.weights_of(card.sha256).path


def test_run_fills_every_case_with_what_the_pipeline_finds(make_world, weights):
    world = make_world()
    participant = enrol(world, weights.unet)
    job = done(run(world, participant, task=ResultTask.PREFERENCE))
    assert (job.state, job.done, job.failed, job.queue) == ("succeeded", 3, 0, "inference")
    runtime = Runtime.load(weights_file(weights.unet), precision="fp32", threads=2)
    for case in world.trial.cases.all():
        result = AlgorithmResult.objects.get(case=case)
        found = run_segmentation(stored_volume_image(case.images.get().volume), runtime)
        assert np.array_equal(stored_mask_array(result.mask), found.lesions["GTV-1"].array)
        assert case.contours.get(source="algorithm") == result.contour
        sides = found.report["detection"].values()
        assert result.probability == max(side["probability"] for side in sides)
        assert result.run_s > 0
        assert (result.device, result.hardware.split(", ")[1][-7:]) == ("cpu", "threads")
        assert result.cold_start_s > 0
    (entry,) = AuditEntry.objects.filter(kind="job:created")
    assert entry.after == {
        "participant": "A-01",
        "task": "preference",
        "repeat": 1,
        "cases": 3,
        "weights_sha256": weights.unet.sha256,
    }
    assert AuditEntry.objects.filter(kind="result:received", origin="worker").count() == 3


def test_candidates_that_a_run_made_are_drawn_as_pairs(make_world, weights):
    world = make_world()
    done(run(world, enrol(world, weights.unet), task=ResultTask.PREFERENCE))
    kept = items_draw(world.trial, actor=world.actor)
    assert kept.requested == 6
    assert Contour.objects.filter(source="algorithm").count() == 3


def test_bone_scans_get_probabilities_and_heat_maps(make_world, weights):
    world = make_world(cases=0, **{"algorithms.0.weights_sha256": weights.vgg.sha256})
    for number in range(2):
        factory.phantom_scan(world.trial, number=number)
    done(run(world, enrol(world, weights.vgg, pipeline="bone-scan"), task=ResultTask.CLASSIFICATION))
    runtime = Runtime.load(weights_file(weights.vgg), precision="fp32", threads=2)
    for result in AlgorithmResult.objects.all():
        found = run_classification(stored_volume_image(result.case.images.get().volume), runtime)
        assert result.probability == found.report["probabilities"]["metastases"]
        heat = heat_map_of(result)
        assert heat.levels.shape == factory.PLANAR_SHAPE
        assert np.array_equal(heat.levels, np.rint(found.heat.astype(float) * 255).astype(np.uint8))
        assert (heat.method, heat.layer) == ("Grad-CAM", "features.28")
        assert heat.target_class == found.report["heat_map"]["class"]
        assert heat.weights_sha256 == weights.vgg.sha256


def test_second_press_is_refused_while_the_first_is_at_work(make_world, weights):
    world = make_world()
    participant = enrol(world, weights.unet)
    first = run(world, participant)
    with pytest.raises(StateConflictError, match=r"A-01 is running already \(0 of 3 cases\)"):
        run(world, participant)
    assert Job.objects.count() == 1
    assert AlgorithmRun.objects.get().job_id == first.job_id


def test_finished_run_does_nothing_twice_and_takes_new_cases_alone(make_world, weights, chest):
    world = make_world(cases=2)
    participant = enrol(world, weights.unet)
    done(run(world, participant))
    rows = set(AlgorithmResult.objects.values_list("id", flat=True))
    with pytest.raises(StateConflictError, match="Every case has a result or failure"):
        run(world, participant)
    chest_case(world.trial, chest, number=9)
    job = done(run(world, participant))
    assert (job.total, job.state) == (1, "succeeded")
    assert rows < set(AlgorithmResult.objects.values_list("id", flat=True))
    assert AlgorithmResult.objects.count() == 3


def test_item_whose_result_is_there_is_not_run_again(make_world, weights, monkeypatch):
    world = make_world(cases=1)
    job_id = run(world, enrol(world, weights.unet)).job_id
    job_run_inline(job_id)
    JobItem.objects.update(state="queued")
    Job.objects.update(state="running", done=0)
    monkeypatch.setattr(algorithm_case, "_found", lambda *_, **__: pytest.fail("it ran again"))
    assert job_run_inline(job_id).state == "succeeded"
    assert AlgorithmResult.objects.count() == 1
    assert JobItem.objects.get().result == {"outcome": "there_already"}


def test_repeats_are_bit_identical_and_said_to_be(make_world, weights):
    world = make_world()
    participant = enrol(world, weights.unet)
    for repeat in (1, 2):
        done(run(world, participant, task=ResultTask.PREFERENCE, repeat=repeat))
    (found,) = reproducibility_of(participant)
    assert (found.task, found.repeat, found.pairs, found.identical) == ("preference", 2, 3, 3)
    assert (found.reproducible, found.lowest_dice) == (True, 1.0)
    assert Contour.objects.filter(source="algorithm").count() == 3
    assert AlgorithmResult.objects.filter(repeat=2, contour=None).count() == 3
    assert StoredMask.objects.filter(source="algorithm").count() == 3


def test_repeat_that_differs_is_said_to_differ(make_world, weights):
    world = make_world(cases=2)
    participant = enrol(world, weights.unet)
    done(run(world, participant))
    algorithm_case._loaded.cache_clear()
    real = algorithm_case._segmented

    def shaken(*args, **options):
        found = real(*args, **options)
        found.mask.array[tuple(np.argwhere(found.mask.array)[0])] = False
        return found

    algorithm_case._segmented = shaken
    try:
        done(run(world, participant, repeat=2))
    finally:
        algorithm_case._segmented = real
    (found,) = reproducibility_of(participant)
    assert (found.pairs, found.identical, found.reproducible) == (2, 0, False)
    assert 0.5 < found.lowest_dice < 1


# --- what cannot be run -----------------------------------------------------------------------------------------


def test_inputs_that_cannot_be_used_fail_with_their_reason_and_stop_nothing(make_world, weights, chest):
    world = make_world(cases=1)
    noise = np.random.default_rng(1)
    bad = {
        "air": np.full(SHAPE, -1000),
        "one slice": chest.image[5:6],
        "scan": None,
        "corrupt": chest.image + 7,
        "beyond HU": np.clip(chest.image * 30, -30000, 32000),
        "noise": noise.integers(-1000, 1000, SHAPE),
    }
    cases = {}
    for number, (name, array) in enumerate(bad.items(), start=10):
        cases[name] = (
            factory.phantom_scan(world.trial, number=number)
            if array is None
            else chest_case(world.trial, chest, number=number, array=array)
        )
    corrupt = cases["corrupt"].images.get().volume
    path = default_store()._path(corrupt.key)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    job = done(run(world, enrol(world, weights.unet)))
    assert job.done == 7
    failures = {
        row.case.code: (row.failure_code, row.note.text)
        for row in AlgorithmResult.objects.exclude(failure_code="").select_related("case", "note")
    }
    said = {name: failures.get(case.code) for name, case in cases.items()}
    assert said["air"][0] == FailureCode.EMPTY_RESULT
    assert "No lungs were found" in said["air"][1] or "lung" in said["air"][1]
    assert said["scan"] == (
        "input_not_supported",
        "The pipeline nsclc takes CT volumes; this image is of modality NM.",
    )
    assert said["corrupt"] == (
        "input_not_supported",
        "The stored image is damaged; `equipoise archive verify` names the file.",
    )
    assert AlgorithmResult.objects.get(case__code="C-001").failure_code == ""
    items = {item.key: item for item in JobItem.objects.all()}
    assert items[cases["scan"].code].error_detail == said["scan"][1]
    assert items[cases["scan"].code].state == "failed"
    assert items[cases["air"].code].state == "succeeded"
    assert items[cases["air"].code].result == {"outcome": "empty_result"}
    assert job.failed == sum(code == "input_not_supported" for code, _ in failures.values())


def write_scan(folder, array, code):
    write_ct_series(
        ImageVolume(np.ascontiguousarray(array), Grid(array.shape, SPACING_MM)),
        folder,
        patient_code=code,
        namespace=NAMESPACE,
    )
    return sorted(folder.iterdir())


def test_scan_head_first_is_read_as_the_usual_one_and_a_tilted_one_is_refused_at_the_door(
    make_world, weights, chest, tmp_path
):
    world, sent = make_world(cases=0), tmp_path / "sent"
    write_scan(sent / "usual", chest.image, "P-1")
    other_patient = chest.image.copy()
    other_patient[0, 0, 0] += 1  # in the air: the same pixels would be the same patient
    feet = write_scan(sent / "head-first", other_patient, "P-2")
    for number, path in enumerate(reversed(feet)):
        dataset = pydicom.dcmread(path)
        dataset.InstanceNumber = number + 1
        dataset.save_as(path.with_name(f"{number:04d}.dcm"))
        path.unlink()
    for path in write_scan(sent / "tilted", chest.image, "P-3"):
        dataset = pydicom.dcmread(path)
        dataset.GantryDetectorTilt = "12"
        x, y, z = (float(v) for v in dataset.ImagePositionPatient)
        dataset.ImagePositionPatient = [x, y + 0.2 * z, z]
        dataset.save_as(path)
    report = trial_ingest_folder(world.trial, sent, rules=(), purpose=CasePurpose.TRIAL, actor=world.actor)
    refused = [file for file in report.outcome.reports if file.path.startswith("tilted/")]
    assert len(refused) == SHAPE[0]
    assert {file.outcome for file in refused} == {FileOutcome.FAILED}
    assert "was made with a tilted gantry; send an untilted reconstruction" in refused[0].sentence
    assert [case.code for case in report.cases] == ["C-001", "C-002"]
    job = done(run(world, enrol(world, weights.unet)))
    assert (job.state, job.done, job.failed) == ("succeeded", 2, 0)
    one, other = (stored_mask_array(result.mask) for result in AlgorithmResult.objects.order_by("case__code"))
    assert one.any()
    assert np.array_equal(one, other)


def test_pipeline_that_breaks_is_a_failure_of_its_case(make_world, weights, monkeypatch):
    world = make_world(cases=2)
    real = algorithm_case._segmented

    def fragile(volume, *args, **options):
        if volume.case_image.case.code == "C-001":
            raise ZeroDivisionError
        return real(volume, *args, **options)

    monkeypatch.setattr(algorithm_case, "_segmented", fragile)
    job = done(run(world, enrol(world, weights.unet)))
    assert (job.state, job.failed) == ("partial", 1)
    broken = AlgorithmResult.objects.get(case__code="C-001")
    assert broken.failure_code == "crashed"
    assert broken.note.text == (
        "The pipeline stopped with an unexpected error (ZeroDivisionError); the worker's log has more."
    )


def test_retry_runs_the_failed_cases_alone_and_the_failures_stay(make_world, weights, monkeypatch):
    world = make_world()
    participant = enrol(world, weights.unet)
    ran = []
    real = algorithm_case._segmented

    def short_of_memory(volume, *args, **options):
        ran.append(volume.case_image.case.code)
        if len(ran) == 2:
            raise MemoryError
        return real(volume, *args, **options)

    monkeypatch.setattr(algorithm_case, "_segmented", short_of_memory)
    job = done(run(world, participant))
    assert (job.state, ran) == ("partial", ["C-001", "C-002", "C-003"])
    job_retry(job.id)
    job = job_run_inline(job.id)
    assert (job.state, ran[3:]) == ("succeeded", ["C-002"])
    rows = AlgorithmResult.objects.filter(case__code="C-002").order_by("attempt")
    assert [(row.attempt, row.failure_code) for row in rows] == [(1, "out_of_memory"), (2, "")]
    current = results_current(world.trial)
    assert current.count() == 3
    assert not current.exclude(failure_code="").exists()


def test_cancelled_run_keeps_what_is_done_and_goes_on_when_retried(make_world, weights, monkeypatch):
    world = make_world()
    participant = enrol(world, weights.unet)
    row = run(world, participant)
    real = algorithm_case._segmented

    def then_cancelled(*args, **options):
        found = real(*args, **options)
        if not AlgorithmResult.objects.exists():
            job_cancel(row.job_id)
        return found

    monkeypatch.setattr(algorithm_case, "_segmented", then_cancelled)
    monkeypatch.setattr("equipoise.jobs.execution._PROGRESS_S", 0.0)
    assert done(row).state == "cancelled"
    assert not AlgorithmResult.objects.exists()
    assert not StoredMask.objects.filter(source="algorithm").exists()
    monkeypatch.setattr(algorithm_case, "_segmented", real)
    job_retry(row.job_id)
    assert done(row).state == "succeeded"
    assert AlgorithmResult.objects.count() == 3


def test_case_that_ends_its_worker_again_and_again_stands_as_a_failure(make_world, weights):
    world = make_world(cases=1)
    row = run(world, enrol(world, weights.unet))
    JobItem.objects.update(attempts=5)
    job = done(row)
    assert job.state == "failed"
    result = AlgorithmResult.objects.get()
    assert (result.failure_code, result.attempt, result.run_s) == ("crashed", 1, None)
    assert result.note.text.startswith("Started 5 times and never finished")


# --- what is fixed ----------------------------------------------------------------------------------------------


def test_other_weights_than_the_protocols_are_refused_with_the_sentence(make_world, weights):
    world = make_world()
    with pytest.raises(ResultUnknownModelError) as caught:
        enrol(world, weights.other_unet)
    assert caught.value.message == (
        f"The protocol fixes Marker 1 by the weights {weights.unet.sha256[:12]}...; these are "
        f"{weights.other_unet.sha256[:12]}.... Results of a changed model never mix: it needs an entry of its own."
    )
    assert not Participant.objects.exists()


def test_version_that_was_enrolled_before_the_protocol_changed_is_not_run(make_world, weights):
    world = make_world(
        **{"algorithms.0.weights_sha256": None, "algorithms.0.weights_unknown_because": "not yet known"}
    )
    participant = enrol(world, weights.other_unet)
    version = world.trial.protocol_versions.get()
    version.document["algorithms"][0] |= {
        "weights_sha256": weights.unet.sha256,
        "weights_unknown_because": None,
    }
    version.save()
    with pytest.raises(ResultUnknownModelError, match="with other weights"):
        run(world, participant)
    assert not Job.objects.exists()


def test_version_without_a_hash_cannot_be_enrolled_once_the_protocol_is_locked(weights):
    world = factory.open_world()
    with pytest.raises(ResultUnknownModelError, match="locked without the weights' hash"):
        enrol(world, weights.unet)
    assert not AlgorithmVersion.objects.exists()


def test_weights_file_that_was_exchanged_is_not_run(make_world, weights):
    world = make_world(cases=1)
    row = run(world, enrol(world, weights.unet))
    path = weights_file(weights.unet)
    other = weights_file(weights.other_unet)
    algorithm_case._loaded.cache_clear()
    path.chmod(0o640)
    path.write_bytes(other.read_bytes())
    job = done(row)
    assert job.state == "failed"
    assert "This worker has no weights" in JobItem.objects.get().error_detail
    assert not AlgorithmResult.objects.exists()


def test_threshold_that_the_protocol_fixes_must_be_the_cards(make_world, weights):
    fixed = {"algorithms.0.operating_threshold": "0.6", "algorithms.0.operating_threshold_from": "a set"}
    world = make_world(**fixed)
    with pytest.raises(ValidationFailedError, match=r"fixes the operating threshold 0\.6 for algorithm"):
        enrol(world, weights.unet)
    fixed["algorithms.0.operating_threshold"] = "0.5"
    enrol(make_world(slug="other", **fixed), weights.unet)
    assert AlgorithmPipeline.objects.get().threshold == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "nobody"}, "names no algorithm of the source 'nobody'; it names: algorithm"),
        ({"pipeline": "magic"}, "There is no pipeline 'magic'"),
        ({"pipeline": "bone-scan"}, "known-unet is a unet model; the pipeline bone-scan runs a vgg"),
        ({"weights_sha256": "ab" * 32}, "This site has no weights abababababab"),
    ],
)
def test_enrolment_that_does_not_fit_is_refused_and_leaves_nothing(make_world, weights, changes, words):
    world = make_world(cases=0)
    options = {"source": "algorithm", "pipeline": "nsclc", "weights_sha256": weights.unet.sha256}
    with pytest.raises(DomainError, match=words):
        algorithm_enrol(world.trial, **{**options, **changes}, actor=world.actor)
    assert not Participant.objects.exists()


def test_version_runs_by_one_pipeline(make_world, weights):
    world = make_world(cases=0)
    enrol(world, weights.unet)
    assert enrol(world, weights.unet).code == "A-01"
    with pytest.raises(StateConflictError, match="A-01 is enrolled with the pipeline nsclc"):
        enrol(world, weights.unet, pipeline="nsclc-published")
    assert AlgorithmPipeline.objects.get().pipeline == "nsclc"


def test_run_for_a_task_that_is_not_the_pipelines_is_refused(make_world, weights):
    world = make_world()
    participant = enrol(world, weights.unet)
    with pytest.raises(ValidationFailedError, match="gives results for preference, contouring, not for"):
        run(world, participant, task=ResultTask.CLASSIFICATION)
    with pytest.raises(ValidationFailedError, match="repeat must be from 1 to 99"):
        run(world, participant, repeat=0)
    assert not AlgorithmRun.objects.exists()


def test_without_a_library_that_runs_networks_the_refusal_says_what_to_install(
    make_world, weights, monkeypatch
):
    world = make_world()
    monkeypatch.setattr(weights_selectors, "installed_runtimes", tuple)
    with pytest.raises(DomainError, match="install equipoise"):
        enrol(world, weights.unet)
    document = algorithms_document(world.trial)
    assert (document["can_run"], document["results"]) == (False, [])


def test_state_of_the_trial_decides_what_is_run(make_world, weights):
    world = make_world()
    participant = enrol(world, weights.unet)
    done(run(world, participant, task=ResultTask.PREFERENCE))
    items_draw(world.trial, actor=world.actor)
    world.trial.state = "locked"
    world.trial.save()
    version = world.trial.protocol_versions.get()
    version.locked_at = world.trial.created_at
    version.save()
    with pytest.raises(StateConflictError, match="Candidates of pairs come in while the trial is a draft"):
        run(world, participant, task=ResultTask.PREFERENCE, repeat=2)
    assert done(run(world, participant)).state == "succeeded"
    world.trial.state = "data-locked"
    world.trial.save()
    with pytest.raises(StateConflictError, match="Results come in until data lock"):
        run(world, participant, repeat=2)


def test_document_tells_runs_failures_and_repeats(make_world, weights, chest):
    world = make_world(cases=2)
    chest_case(world.trial, chest, number=10, array=np.full(SHAPE, -1000))
    participant = enrol(world, weights.unet)
    done(run(world, participant))
    document = algorithms_document(world.trial)
    assert {known["name"] for known in document["weights"]} >= {"known-unet", "known-vgg"}
    (row,) = document["results"]
    assert (row["code"], row["pipeline"], row["result_count"]) == ("A-01", "nsclc", 2)
    assert row["tasks"] == ["preference", "contouring"]
    (failure,) = row["failures"]
    assert (failure["case"], failure["code"], failure["attempt"]) == ("C-003", "empty_result", 1)
    (one,) = row["runs"]
    assert (one["task"], one["repeat"], one["job_state"]) == ("contouring", 1, "succeeded")
    assert (one["stored"], one["failed"], one["empty"]) == (2, 1, 1)
    assert (one["active"], one["can_retry"], one["device"]) == (False, False, "cpu")
    assert one["median_run_s"] > 0


def test_models_that_ship_with_the_package_can_be_enrolled_without_registering(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    shipped = {name: one for one in weights_selectors.weights_known() for name in one.pipelines}
    assert shipped["bone-scan"].shipped
    assert shipped["bone-scan"].card.demonstration
    assert weights_selectors.shipped_weights("bone-scan") == shipped["bone-scan"]
    assert weights_selectors.weights_of(shipped["bone-scan"].card.sha256) == shipped["bone-scan"]


def test_weights_whose_card_does_not_fit_are_left_out(weights):
    path = weights_file(weights.unet)
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-1])
    assert weights_selectors.weights_of(weights.unet.sha256) is None
    assert weights_selectors.weights_of(weights.vgg.sha256) is not None
