"""A folder comes in patient by patient, whole or not at all, and nothing of a header comes with it."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.apps import apps
from django.core.serializers import serialize
from PIL import Image

from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.ingest import ForbiddenPatients, IngestOutcome, ingest_folder
from equipoise.archive.models import IngestFileReport, IngestRun, StoredMask, StoredVolume
from equipoise.archive.roi_rules import RoiRule, RuleScope
from equipoise.archive.selectors import (
    ingest_log,
    stored_mask_array,
    stored_volume_array,
    stored_volume_image,
)
from equipoise.archive.verify import verify
from equipoise.common.errors import ErrorCode
from equipoise.imaging.errors import NotAnImageError
from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import SeriesDescription
from tests.archive.conftest import GRID, INSTITUTE, TRIAL, make_mask, make_volume, write_patient

pytestmark = [pytest.mark.django_db, pytest.mark.db]

EXPERT = RoiRule(source="expert", pattern="GTV-1")
EXPERT_FILE = RoiRule(source="expert", pattern="*_expert.nrrd", applies_to=RuleScope.FILE)
MODEL_FILE = RoiRule(source="model-3", pattern="*_ai.nrrd", applies_to=RuleScope.FILE)


@pytest.fixture
def ingest(policy):
    def run(folder: Path, *rules: RoiRule, **options: object) -> IngestOutcome:
        arguments = {"trial_id": TRIAL, "institute_id": INSTITUTE, "policy": policy, **options}
        return ingest_folder(folder=folder, roi_rules=rules or (EXPERT,), **arguments)

    return run


def assert_nothing_stored(outcome: IngestOutcome, store_folder: Path) -> None:
    assert outcome.patients == ()
    assert StoredVolume.objects.count() == StoredMask.objects.count() == 0
    kinds = {path.parent.name for path in store_folder.rglob("*") if path.is_file()}
    assert kinds == {"ingest-logs", "removal-logs"}
    assert verify().sound


def test_one_patient_with_its_contour(ingest, sent, policy):
    outcome = ingest(sent)
    (patient,) = outcome.patients
    assert patient.patient_key == policy.patient_key("secret^person ")
    assert not patient.already_there
    np.testing.assert_array_equal(stored_volume_array(patient.volume), make_volume().array)
    assert list(patient.masks) == ["expert"]
    np.testing.assert_array_equal(stored_mask_array(patient.masks["expert"]), make_mask().array)
    assert outcome.problems == ()
    run = IngestRun.objects.get()
    assert (run.state, run.used, run.ignored, run.failed) == ("finished", 7, 0, 0)
    assert verify().sound


def test_only_whitelisted_facts_are_kept(ingest, sent):
    ingest(sent)
    volume = StoredVolume.objects.get()
    assert volume.series_description == SeriesDescription(
        slice_thickness_mm=5.0, kernel="B30f", rescale_stated=True
    )
    assert volume.modality == "CT"


def test_policy_may_keep_the_device(ingest, sent):
    ingest(sent, policy=DeidentificationPolicy(b"sixteen bytes or more", keep_device=True, keep_kernel=False))
    description = StoredVolume.objects.get().series_description
    assert (description.manufacturer, description.kernel) == ("Equipoise", None)


def test_text_that_may_hide_a_person_is_dropped_from_kept_facts(policy):
    odd = SeriesDescription(kernel="B30f; patient: Jane Doe, born 1950-01-01", model="x\ny")
    assert policy.reduced(odd, original_id="p") == SeriesDescription()


def test_sending_the_folder_again_stores_nothing(ingest, sent, store_folder):
    first = ingest(sent)
    before = sorted(p for p in store_folder.rglob("packs/*")) + sorted(store_folder.rglob("masks/*"))
    second = ingest(sent)
    assert second.patients[0].already_there
    assert second.patients[0].volume == first.patients[0].volume
    assert second.patients[0].masks == first.patients[0].masks
    assert sorted(store_folder.rglob("packs/*")) + sorted(store_folder.rglob("masks/*")) == before
    assert all("nothing was stored twice" in report.sentence for report in second.reports)


def test_a_contour_that_comes_later_joins_the_volume(ingest, sent, tmp_path):
    first = ingest(sent)
    write_mask_nrrd(make_mask(high=13), sent / "a" / "scan_ai.nrrd")
    second = ingest(sent, EXPERT, MODEL_FILE)
    assert second.patients[0].volume == first.patients[0].volume
    assert set(second.patients[0].masks) == {"expert", "model-3"}
    assert StoredVolume.objects.count() == 1
    np.testing.assert_array_equal(
        stored_mask_array(second.patients[0].masks["model-3"]), make_mask(high=13).array
    )


def test_patients_in_subfolders_and_by_file_name(ingest, tmp_path, policy):
    folders, flat = tmp_path / "folders", tmp_path / "flat"
    flat.mkdir()
    for number, name in enumerate(("p1", "p2")):
        (folders / name).mkdir(parents=True)
        for image, mask in (
            (folders / name / "image.nrrd", folders / name / "gtv_expert.nrrd"),
            (flat / f"{name}.nrrd", flat / f"{name}_expert.nrrd"),
        ):
            write_image_nrrd(make_volume(number), image)
            write_mask_nrrd(make_mask(high=12 + number), mask)
    for folder in (folders, flat):
        outcome = ingest(folder, EXPERT_FILE)
        keys = {patient.patient_key: patient.masks["expert"].voxel_count for patient in outcome.patients}
        assert keys == {
            policy.patient_key("p1"): make_mask(high=12).voxel_count,
            policy.patient_key("p2"): make_mask(high=13).voxel_count,
        }
    assert StoredVolume.objects.count() == 2


def test_archive_is_taken_in_and_leaves_no_workspace(ingest, sent, tmp_path):
    archive = tmp_path / "sent.zip"
    with zipfile.ZipFile(archive, "w") as sink:
        for path in sorted((sent / "a").iterdir()):
            sink.write(path, f"a/{path.name}")
    outcome = ingest(archive)
    assert len(outcome.patients) == 1
    assert {report.path for report in outcome.reports if report.kind == "structure set"} == {
        "sent.zip/a/rs.dcm"
    }
    assert list((tmp_path / "var" / "incoming").iterdir()) == []


def test_a_file_that_is_neither_folder_nor_archive(ingest, tmp_path):
    (tmp_path / "image.txt").write_text("x")
    with pytest.raises(NotAnImageError, match=r"image\.txt is neither a folder nor a zip or tar archive"):
        ingest(tmp_path / "image.txt")
    assert IngestRun.objects.get().state == "failed"


def test_progress_counts_patients(ingest, sent):
    write_patient(sent / "b", "Other", seed=2)
    steps: list[tuple[int, int]] = []
    ingest(sent, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 2), (1, 2), (2, 2)]


def test_a_faulty_patient_leaves_the_others_alone(ingest, sent):
    write_patient(sent / "b", "Other", seed=2)
    (sent / "b" / "ct-0002.dcm").unlink()
    outcome = ingest(sent)
    assert len(outcome.patients) == 1
    assert [problem.code for problem in outcome.problems] == [ErrorCode.INGEST_MISSING_SLICES]
    failed = {report.path: report.code for report in outcome.reports if report.code}
    assert set(failed) == {f"b/{name}" for name in ("rs.dcm", *(f"ct-{n:04d}.dcm" for n in (0, 1, 3, 4, 5)))}
    assert failed["b/ct-0000.dcm"] is ErrorCode.INGEST_MISSING_SLICES


# --- what is refused, and that nothing is stored then -----------------------------------------------------------------


def edit(path: Path, **attributes: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)


def missing_slice(patient: Path) -> None:
    (patient / "ct-0002.dcm").unlink()


def uneven_spacing(patient: Path) -> None:
    edit(patient / "ct-0003.dcm", ImagePositionPatient=[-10.5, 20.25, -284.5])


def duplicate_slice(patient: Path) -> None:
    edit(patient / "ct-0003.dcm", ImagePositionPatient=[-10.5, 20.25, -290])


def truncated(patient: Path) -> None:
    path = patient / "ct-0005.dcm"
    path.write_bytes(path.read_bytes()[:-50])


def truncated_in_its_header(patient: Path) -> None:
    path = patient / "ct-0005.dcm"
    path.write_bytes(path.read_bytes()[:250])


def png_named_dcm(patient: Path) -> None:
    Image.new("L", (8, 8)).save(patient / "x.dcm", format="PNG")


def eight_gigabytes(patient: Path) -> None:
    edit(patient / "ct-0000.dcm", Rows=65535, Columns=65535)


def another_frame_of_reference(patient: Path) -> None:
    edit(patient / "rs.dcm", ReferencedFrameOfReferenceSequence=[])
    dataset = pydicom.dcmread(patient / "rs.dcm")
    dataset.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "2.25.1"
    dataset.save_as(patient / "rs.dcm", enforce_file_format=True)


def region_renamed(patient: Path) -> None:
    dataset = pydicom.dcmread(patient / "rs.dcm")
    dataset.StructureSetROISequence[0].ROIName = "PTV"
    dataset.save_as(patient / "rs.dcm", enforce_file_format=True)


def second_structure_set(patient: Path) -> None:
    shutil.copyfile(patient / "rs.dcm", patient / "rs2.dcm")


def second_series(patient: Path) -> None:
    (patient / "rs.dcm").unlink()
    for path in sorted(patient.glob("ct-*.dcm")):
        edit_copy = patient / f"copy-{path.name}"
        shutil.copyfile(path, edit_copy)
        edit(edit_copy, SeriesInstanceUID="2.25.5", SOPInstanceUID=f"2.25.5{path.stem[-1]}")


def burned_in(patient: Path) -> None:
    edit(patient / "ct-0001.dcm", BurnedInAnnotation="YES")


def unsafe_zip(patient: Path) -> None:
    with zipfile.ZipFile(patient / "more.zip", "w") as sink:
        sink.writestr("../evil", b"x")


@pytest.mark.parametrize(
    "damage, code, words",
    [
        (missing_slice, ErrorCode.INGEST_MISSING_SLICES, "misses about 1 slice(s)"),
        (uneven_spacing, ErrorCode.INGEST_UNEVEN_SPACING, "is unevenly spaced"),
        (duplicate_slice, ErrorCode.INGEST_DUPLICATE_SLICES, "are different slices at the same position"),
        (truncated, ErrorCode.INGEST_TRUNCATED, "ct-0005.dcm ends before its content does"),
        (truncated_in_its_header, ErrorCode.INGEST_TRUNCATED, "ct-0005.dcm"),
        (png_named_dcm, ErrorCode.INGEST_NOT_AN_IMAGE, "x.dcm is not a DICOM file but a PNG picture"),
        (eight_gigabytes, ErrorCode.INGEST_TOO_LARGE, "claims 65535 x 65535 pixels"),
        (another_frame_of_reference, ErrorCode.INGEST_FRAME_OF_REFERENCE, "another frame of reference"),
        (
            region_renamed,
            ErrorCode.INGEST_ROI_ABSENT,
            "has no region 'GTV-1' that encloses anything; it has: PTV",
        ),
        (
            second_structure_set,
            ErrorCode.INGEST_ROI_AMBIGUOUS,
            "2 structure sets (rs.dcm, rs2.dcm) have a region",
        ),
        (second_series, ErrorCode.INGEST_SEVERAL_SERIES, "The patient has 2 images (#1: CT, 6 x 20 x 24"),
        (burned_in, ErrorCode.INGEST_BURNED_IN, "says that annotations are burned into its pixels"),
        (unsafe_zip, ErrorCode.INGEST_ARCHIVE_UNSAFE, "climbs out of the folder"),
    ],
)
def test_refused_patients_leave_nothing(ingest, sent, store_folder, damage, code, words):
    damage(sent / "a")
    outcome = ingest(sent)
    assert_nothing_stored(outcome, store_folder)
    assert [problem.code for problem in outcome.problems] == [code]
    assert any(report.code is code and words in report.sentence for report in outcome.reports)
    stored = IngestFileReport.objects.filter(code=code.value)
    assert stored.exists()
    for report in stored:
        assert report.advice
        assert "dcm" not in report.advice  # names no file


def test_mask_files_on_another_grid_or_empty_keep_the_patient_out(ingest, tmp_path, store_folder):
    for name, bad in {
        "grid": Mask(make_mask().array, Grid(GRID.shape_zyx, GRID.spacing_mm_zyx)),
        "empty": Mask(np.zeros(GRID.shape_zyx, dtype=bool), GRID),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        write_image_nrrd(make_volume(), folder / "p1.nrrd")
        write_mask_nrrd(bad, folder / "p1_expert.nrrd")
        outcome = ingest(folder, EXPERT_FILE)
        assert_nothing_stored(outcome, store_folder)
    codes = list(IngestFileReport.objects.values_list("code", flat=True))
    assert sorted(set(codes)) == ["ingest_empty_mask", "ingest_grid_mismatch"]


def test_absent_mask_keeps_out_only_if_it_is_required(ingest, tmp_path, store_folder):
    write_image_nrrd(make_volume(), tmp_path / "sent.nrrd")
    folder = tmp_path / "sent"
    folder.mkdir()
    (tmp_path / "sent.nrrd").rename(folder / "p1.nrrd")
    outcome = ingest(folder, EXPERT_FILE)
    assert_nothing_stored(outcome, store_folder)
    assert (
        outcome.problems[0].sentence
        == "The patient has no mask file '*_expert.nrrd' for the source 'expert'."
    )
    optional = RoiRule("expert", "*_expert.nrrd", RuleScope.FILE, required=False)
    assert ingest(folder, optional).patients[0].masks == {}


def test_practice_patients_are_refused_in_the_trial_by_id_or_by_image(
    ingest, sent, policy, store_folder, tmp_path
):
    by_id = ForbiddenPatients(patient_keys=frozenset({policy.patient_key("Secret^Person")}))
    outcome = ingest(sent, forbidden=by_id)
    assert_nothing_stored(outcome, store_folder)
    assert outcome.problems[0].code is ErrorCode.INGEST_PATIENT_SHARED
    stored = ingest(sent).patients[0].volume
    by_image = ForbiddenPatients(pixel_hashes=frozenset({stored.pixel_hash}))
    renamed = write_patient(tmp_path / "renamed", "Nobody")
    problems = ingest(renamed, forbidden=by_image).problems
    assert problems[0].sentence.startswith("The same image is in the trial's other part")


def test_the_same_image_under_another_name_is_refused(ingest, sent, tmp_path):
    ingest(sent)
    outcome = ingest(write_patient(tmp_path / "renamed", "Nobody"))
    assert outcome.patients == ()
    assert [(p.code, p.sentence) for p in outcome.problems] == [
        (
            ErrorCode.INGEST_PATIENT_SHARED,
            "The same image is in the trial already under another patient's id.",
        )
    ]
    assert StoredVolume.objects.count() == 1


def test_a_crash_marks_the_run_and_leaves_no_orphan(ingest, sent, monkeypatch, tmp_path):
    write_patient(sent / "b", "Other", seed=2)

    def crash(done: int, total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(sent, progress=crash)
    assert IngestRun.objects.get().state == "failed"
    assert StoredVolume.objects.count() == 1
    assert verify().sound
    assert list((tmp_path / "var" / "incoming").iterdir()) == []


# --- identity ---------------------------------------------------------------------------------------------------------


def everything_in_the_database() -> str:
    return "".join(
        serialize("json", model._base_manager.all()) for model in apps.get_app_config("archive").get_models()
    )


def test_log_names_files_and_rows_do_not(ingest, sent):
    outcome = ingest(sent)
    lines = [json.loads(line) for line in ingest_log(outcome.run).splitlines()]
    assert [line["number"] for line in lines] == list(range(1, 8))
    assert lines[6] == {
        "number": 7,
        "path": "a/rs.dcm",
        "outcome": "used",
        "kind": "structure set",
        "code": None,
        "sentence": "",
    }
    rows = everything_in_the_database()
    assert "rs.dcm" not in rows
    assert "ct-0000" not in rows


def test_nothing_of_a_synthetic_header_is_kept_anywhere(ingest, sent, store_folder):
    for path in (sent / "a").glob("ct-*.dcm"):
        edit(path, PatientName="Doe^Jane", StudyDescription="clinic of Dr Bloggs", AccessionNumber="ACC4711")
    uids = [pydicom.dcmread(p).SOPInstanceUID for p in (sent / "a").iterdir()]
    ingest(sent)
    rows = everything_in_the_database()
    files = b"".join(path.read_bytes() for path in store_folder.rglob("*") if path.is_file())
    for word in ("Doe", "Jane", "Bloggs", "ACC4711", "Secret", "Person", *uids):
        assert word not in rows
        assert word.encode() not in files


def test_patient_keys_depend_on_the_trials_secret(policy):
    other = DeidentificationPolicy(b"another secret of a trial")
    assert policy.patient_key("P1") == policy.patient_key(" p1 ")
    assert policy.patient_key("P1") != other.patient_key("P1")
    assert len(policy.patient_key("P1")) == 64
    with pytest.raises(ValueError, match="at least 16 bytes"):
        DeidentificationPolicy(b"short")
    assert "sixteen" not in repr(policy)


@pytest.mark.shared
def test_the_real_patients_come_in_and_their_identifiers_do_not(
    ingest, patients_folder, store_folder, policy
):
    outcome = ingest(patients_folder)
    assert len(outcome.patients) == 2
    assert {p.patient_key for p in outcome.patients} == {policy.patient_key(f"LUNG1-00{n}") for n in (1, 2)}
    millilitres = sorted(patient.masks["expert"].volume_ml for patient in outcome.patients)
    assert millilitres == [pytest.approx(155.77984, abs=1e-4), pytest.approx(358.53255, abs=1e-4)]
    identifiers = {"LUNG1", "lung1"}
    for folder in sorted(patients_folder.glob("LUNG1-*")):
        dataset = pydicom.dcmread(next(folder.glob("9*.dcm")), stop_before_pixels=True)
        for keyword in (
            "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "AccessionNumber",
            "StudyDate", "StudyTime", "PatientID",
        ):  # fmt: skip
            identifiers.add(str(dataset[keyword].value))
    rows = everything_in_the_database()
    contents = [
        p.read_bytes() for p in store_folder.rglob("*") if p.is_file() and p.parent.name != "ingest-logs"
    ]
    assert len(contents) == 5  # two images, two contours, what was removed
    heads = [content[: 48 + 48 * 134] for content in contents]
    for word in identifiers:
        assert word not in rows
        assert all(word.encode() not in head for head in heads)
    (patient,) = [p for p in outcome.patients if p.volume.frame_count == 134]
    example = next((patients_folder / "LUNG1-001_20180209_CT").glob("100.dcm"))
    dataset = pydicom.dcmread(example)
    z = round((float(dataset.ImagePositionPatient[2]) - patient.volume.grid.origin_mm_xyz[2]) / 3.0)
    expected = dataset.pixel_array.astype(int) * int(dataset.RescaleSlope) + int(dataset.RescaleIntercept)
    np.testing.assert_array_equal(stored_volume_array(patient.volume)[z], expected)


def test_views_and_value_scale_are_stored_and_words_in_units_are_not(tmp_path, policy):
    """A bone scan of two files and a PET: what the viewer needs outlives ingestion, free text does not."""
    from tests.unit.imaging.test_formats import NUCLEAR, PET, random_frames, view_code, write

    pixels = random_frames(2, high=65536)
    for number, code in enumerate(("R-10206", "R-10214")):
        write(
            tmp_path / "in" / f"b{number}.dcm",
            pixels[number],
            NUCLEAR,
            "NM",
            SeriesInstanceUID=f"2.25.{number + 6}",
            DetectorInformationSequence=[view_code(code)],
        )
    write(
        tmp_path / "in" / "p.dcm",
        pixels[0],
        PET,
        "PT",
        PatientID="P2",
        SeriesInstanceUID="2.25.9",
        ImagePositionPatient=["0", "0", "0"],
        ImageOrientationPatient=["1", "0", "0", "0", "1", "0"],
        PixelSpacing=["4", "4"],
        RescaleSlope="0.5",
        RescaleIntercept="0",
        Units="JOHN SMITH",
    )
    outcome = ingest_folder(
        trial_id=TRIAL, institute_id=INSTITUTE, folder=tmp_path / "in", policy=policy, roi_rules=()
    )
    assert outcome.problems == ()
    images = {p.volume.modality: stored_volume_image(p.volume) for p in outcome.patients}
    np.testing.assert_array_equal(images["NM"].values(), pixels)
    assert images["NM"].description.views == ("anterior", "posterior")
    np.testing.assert_array_equal(images["PT"].values(), pixels[:1] * 0.5)
    assert images["PT"].description.units is None
