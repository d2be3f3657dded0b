"""What a run removed is told without values; originals are kept only by choice; images that may name people wait."""

import json
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.export import ExportFormat, ExportImpossibleError, patient_export
from equipoise.archive.ingest import IngestOutcome, ReviewReason, ingest_folder
from equipoise.archive.models import IngestRun, PendingKey, StoredOriginal, StoredVolume
from equipoise.archive.roi_rules import RoiRule, names_region
from equipoise.archive.selectors import ingest_log, removal_log
from equipoise.archive.services import ingest_logs_delete, volume_delete
from equipoise.archive.verify import verify
from equipoise.common.errors import ErrorCode
from equipoise.imaging.reading import read_folder
from equipoise.imaging.series import load_series
from tests.archive.conftest import INSTITUTE, TRIAL, make_volume
from tests.unit.imaging.test_burned_in import scan, written_on

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SECRET = b"sixteen bytes or more"
EXPERT = RoiRule(source="expert", pattern="GTV-1")


def run(folder, *rules: RoiRule, **options: bool) -> IngestOutcome:
    policy = DeidentificationPolicy(SECRET, **options)
    return ingest_folder(
        trial_id=TRIAL, institute_id=INSTITUTE, folder=folder, policy=policy, roi_rules=rules
    )


def lines_of(outcome: IngestOutcome) -> list[dict[str, object]]:
    return [json.loads(line) for line in removal_log(outcome.run).splitlines()]


def write_planar(folder, pixels: np.ndarray, **values: object) -> None:
    folder.mkdir(parents=True)
    dataset = pydicom.dcmread(str(pydicom.data.get_testdata_file("JPGExtended.dcm")))
    dataset.decompress()
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData, dataset.PatientID = pixels.astype("<u2").tobytes(), "P9"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(folder / "nm.dcm")


# --- the log ------------------------------------------------------------------------------------------------------


def test_the_log_tells_tags_and_counts_and_no_value(sent):
    for number, path in enumerate(sorted((sent / "a").glob("ct-*.dcm"))):
        dataset = pydicom.dcmread(path)
        dataset.PatientBirthName, dataset.InstitutionName = "Person^Ugly", "Clinic of Dr Bloggs"
        dataset.private_block(0x0009, "BLOGGS", create=True).add_new(1, "LO", "Person")
        if number == 3:
            item = Dataset()
            item.PatientAddress = "12 Elm Street"
            dataset.ReferencedImageSequence = [item]
        dataset.save_as(path)
    head, *entries = lines_of(run(sent, EXPERT))
    assert (head["methods"], head["originals"], head["burned_in"]) == (["113100"], False, "refuse")
    by_tag = {entry["tag"]: entry for entry in entries}
    assert by_tag["(0010,1005)"] == {
        "tag": "(0010,1005)", "keyword": "PatientBirthName", "vr": "PN", "action": "X", "files": 6, "first_file": 1,
    }  # fmt: skip
    assert (by_tag["(0009,1001)"]["action"], by_tag["(0009,1001)"]["files"]) == ("X", 6)
    nested = (
        by_tag["(0008,1140).(0010,1040)"] if "(0008,1140).(0010,1040)" in by_tag else by_tag["(0008,1140)"]
    )
    assert (nested["files"], nested["first_file"]) == (1, 4)
    assert by_tag["(0010,0010)"]["files"] == 7  # the structure set too
    log = removal_log(IngestRun.objects.get())
    for word in ("Person", "Ugly", "Bloggs", "BLOGGS", "Elm", "Secret", "ct-00"):
        assert word not in log
    assert verify().sound


def test_the_log_has_the_files_that_were_not_used_too(sent):
    report = Dataset()
    report.update(pydicom.dcmread(next((sent / "a").glob("ct-*.dcm")), stop_before_pixels=True))
    report.file_meta = pydicom.dcmread(next((sent / "a").glob("ct-*.dcm"))).file_meta
    report.Modality, report.SOPClassUID, report.OperatorsName = (
        "SR",
        "1.2.840.10008.5.1.4.1.1.88.11",
        "Bloggs^J",
    )
    report.save_as(sent / "a" / "sr.dcm", enforce_file_format=True)
    outcome = run(sent, EXPERT)
    assert [r.outcome for r in outcome.reports if r.path == "a/sr.dcm"] == ["ignored"]
    assert [e["files"] for e in lines_of(outcome) if e.get("keyword") == "OperatorsName"] == [1]


def test_logs_can_be_deleted(sent, django_capture_on_commit_callbacks):
    outcome = run(sent, EXPERT)
    with django_capture_on_commit_callbacks(execute=True):
        assert ingest_logs_delete(outcome.run) == 2
    stored = IngestRun.objects.get()
    assert (stored.log_key, stored.removal_log_key) == ("", "")
    assert (ingest_log(stored), removal_log(stored)) == ("", "")
    assert verify().sound
    assert ingest_logs_delete(stored) == 0


# --- originals ----------------------------------------------------------------------------------------------------


def test_originals_are_not_kept_unless_the_trial_says_so(sent, store_folder):
    run(sent, EXPERT)
    assert StoredOriginal.objects.count() == 0
    assert not list(store_folder.rglob("originals/*"))


def test_originals_are_kept_cleaned_and_name_each_other_and_the_volume(sent, store, tmp_path):
    outcome = run(sent, EXPERT, keep_originals=True)
    (patient,) = outcome.patients
    kept = list(patient.volume.originals.order_by("number"))
    assert [(one.number, one.kind) for one in kept] == [
        *((n, "image") for n in range(1, 7)),
        (7, "structure set"),
    ]
    folder = tmp_path / "kept"
    folder.mkdir()
    for one in kept:
        content = store.read(one.key)
        assert b"Secret" not in content
        dataset = pydicom.dcmread(BytesIO(content))
        assert dataset.StudyInstanceUID == patient.volume.study_uid
        assert dataset.PatientID == f"P-{patient.patient_key[:12].upper()}"
        (folder / f"{one.number}.dcm").write_bytes(content)
    contents = read_folder(folder)
    (series,) = contents.series
    assert (series.series_uid, series.frame_of_reference_uid) == (
        patient.volume.series_uid,
        patient.volume.frame_of_reference_uid,
    )
    np.testing.assert_array_equal(load_series(series).volume.array, make_volume().array)
    assert contents.structure_sets[0].roi_names == ["GTV-1"]
    assert verify().sound
    assert not PendingKey.objects.exists()


def test_originals_leave_under_the_case_s_code(sent, tmp_path):
    (patient,) = run(sent, EXPERT, keep_originals=True).patients
    files = patient_export(
        patient.volume, {}, tmp_path / "out", code="C-042", formats=[ExportFormat.ORIGINAL]
    )
    assert [path.name for path in files] == [
        *(f"image-{n:04d}.dcm" for n in range(1, 7)), "structure-set-0007.dcm",
    ]  # fmt: skip
    datasets = [pydicom.dcmread(path) for path in files]
    assert {str(one.PatientName) for one in datasets} == {"C-042"}
    assert {one.SeriesInstanceUID for one in datasets[:6]} == {patient.volume.series_uid}


def test_originals_that_were_not_kept_cannot_leave(sent, tmp_path):
    (patient,) = run(sent, EXPERT).patients
    with pytest.raises(ExportImpossibleError, match="No originals of case C-042 were kept"):
        patient_export(patient.volume, {}, tmp_path / "out", code="C-042", formats=[ExportFormat.ORIGINAL])
    assert not (tmp_path / "out").exists()


def test_originals_are_stored_once(sent, store_folder):
    run(sent, EXPERT, keep_originals=True)
    before = sorted(store_folder.rglob("originals/*"))
    assert run(sent, EXPERT, keep_originals=True).patients[0].already_there
    assert sorted(store_folder.rglob("originals/*")) == before
    assert verify().sound


def test_a_refused_patient_leaves_no_original(sent, store_folder):
    outcome = run(sent, RoiRule(source="expert", pattern="Nowhere"), keep_originals=True)
    assert [problem.code for problem in outcome.problems] == [ErrorCode.INGEST_ROI_ABSENT]
    assert not list(store_folder.rglob("originals/*"))
    assert not PendingKey.objects.exists()
    assert verify().sound


def test_verify_finds_an_altered_original_and_deleting_a_volume_takes_them_along(sent, store_folder):
    (patient,) = run(sent, EXPERT, keep_originals=True).patients
    path = store_folder / StoredOriginal.objects.first().key
    content = path.read_bytes()
    path.write_bytes(content + b"x")
    assert verify().altered_files == [StoredOriginal.objects.first().key]
    path.write_bytes(content)
    volume_delete(patient.volume)
    assert StoredOriginal.objects.count() == StoredVolume.objects.count() == 0
    assert not list(store_folder.rglob("originals/*"))


def test_a_region_s_name_stays_if_a_rule_spells_it_out():
    rules = (RoiRule("expert", "House Rule 9"), RoiRule("model", "*"))
    assert names_region("house rule 9", rules)
    assert names_region("GTV-1", ())
    assert not names_region("GTV of Mrs Doe", rules)


# --- images that may name people ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "text", "words"),
    [
        ({"BurnedInAnnotation": "YES"}, "", "annotations are burned into its pixels"),
        ({"RecognizableVisualFeatures": "YES"}, "", "the patient can be recognised in it"),
        ({}, "DOE JANE 1957", "something in its pixels that looks like writing"),
    ],
)
def test_an_image_that_may_name_somebody_is_kept_out(tmp_path, values: dict[str, str], text: str, words: str):
    write_planar(tmp_path / "sent" / "a", written_on(scan(), text), **values)
    outcome = run(tmp_path / "sent")
    assert outcome.patients == ()
    (problem,) = outcome.problems
    assert problem.code is ErrorCode.INGEST_BURNED_IN
    assert words in problem.sentence
    assert StoredVolume.objects.count() == 0
    assert verify().sound


def test_a_trial_may_take_such_images_in_to_look_at_them(tmp_path):
    write_planar(tmp_path / "sent" / "a", written_on(scan(), "DOE JANE 1957"), BurnedInAnnotation="YES")
    outcome = run(tmp_path / "sent", refuse_burned_in=False)
    (patient,) = outcome.patients
    assert patient.to_review == (ReviewReason.BURNED_IN_ANNOTATION, ReviewReason.WRITING_IN_PIXELS)


def test_a_scan_without_writing_comes_in_and_waits_for_nobody(tmp_path):
    write_planar(tmp_path / "sent" / "a", scan())
    (patient,) = run(tmp_path / "sent").patients
    assert patient.to_review == ()
