"""What a policy keeps: UIDs mapped within the trial, dates moved per patient, people's facts only by choice."""

import uuid
from datetime import date
from importlib import import_module
from typing import Any

import pydicom
import pytest
from django.apps import apps

from equipoise.archive.deidentification import DeidentificationPolicy, derived_uids
from equipoise.archive.ingest import ingest_folder
from equipoise.archive.models import StoredVolume
from equipoise.archive.services import volume_store
from equipoise.imaging.export import write_image_nrrd
from equipoise.imaging.volume import SeriesDescription
from tests.archive.conftest import INSTITUTE, OTHER_TRIAL, TRIAL, make_volume

SECRET = b"sixteen bytes or more"
PERSON = SeriesDescription(
    kernel="B30f",
    manufacturer="SIEMENS",
    model="Biograph 40",
    patient_sex="F",
    patient_age_years=93.0,
    patient_size_m=1.62,
    patient_weight_kg=58.5,
    study_date=date(2014, 3, 9),
)


def test_a_uid_gets_the_same_other_one_throughout_a_trial(policy):
    original = "1.3.6.1.4.1.32722.99.99.2989917765213423750108623113557749"
    mapped = policy.mapped_uid(original)
    assert mapped == policy.mapped_uid(original + "\0")
    assert mapped.startswith("2.25.")
    assert pydicom.uid.UID(mapped).is_valid
    assert uuid.UUID(int=int(mapped.removeprefix("2.25."))).variant == uuid.RFC_4122
    assert len({policy.mapped_uid(f"{original}{n}") for n in range(100)} | {mapped, original}) == 102
    assert DeidentificationPolicy(b"another secret of a trial").mapped_uid(original) != mapped


def test_a_mapped_uid_is_the_hmac_that_openssl_computes():
    assert (
        DeidentificationPolicy(SECRET).mapped_uid("1.2.3") == "2.25.219147513644817763632035432056064376983"
    )


def test_all_dates_of_a_patient_move_by_the_same_days():
    policy = DeidentificationPolicy(SECRET, shift_dates=True)
    first, second = (policy.shifted(day, original_id=" p1 ") for day in (date(2014, 3, 9), date(2015, 1, 1)))
    assert second - first == date(2015, 1, 1) - date(2014, 3, 9)
    assert policy.shifted(date(2014, 3, 9), original_id="P1") == first
    shifts = [policy.date_shift(f"P{n}").days for n in range(500)]
    assert 366 <= min(shifts) < 450
    assert 3570 < max(shifts) <= 3653
    assert len(set(shifts)) > 450
    assert DeidentificationPolicy(b"another secret of a trial").date_shift("P1") != policy.date_shift("P1")


def test_dates_are_dropped_without_the_option_and_where_they_leave_the_calendar():
    assert DeidentificationPolicy(SECRET).shifted(date(2014, 3, 9), original_id="P1") is None
    moving = DeidentificationPolicy(SECRET, shift_dates=True)
    assert moving.shifted(date(1, 5, 1), original_id="P1") is None
    assert moving.shifted(None, original_id="P1") is None


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, {"kernel": "B30f"}),
        ({"keep_kernel": False}, {}),
        ({"keep_device": True}, {"kernel": "B30f", "manufacturer": "SIEMENS", "model": "Biograph 40"}),
        (
            {"keep_patient_characteristics": True},
            {
                "kernel": "B30f",
                "patient_sex": "F",
                "patient_age_years": 90.0,
                "patient_size_m": 1.62,
                "patient_weight_kg": 58.5,
            },
        ),
    ],
)
def test_each_option_keeps_its_own_facts_and_no_other(options: dict[str, Any], kept: dict[str, Any]):
    policy = DeidentificationPolicy(SECRET, **options)
    assert policy.reduced(PERSON, original_id="P1") == SeriesDescription(**kept)


def test_a_kept_date_is_the_moved_one():
    policy = DeidentificationPolicy(SECRET, shift_dates=True)
    kept = policy.reduced(PERSON, original_id="P1")
    assert kept.study_date == date(2014, 3, 9) - policy.date_shift("P1")
    assert kept == SeriesDescription(kernel="B30f", study_date=kept.study_date)


def test_a_description_neither_prints_nor_loses_what_identifies():
    assert "F" not in repr(PERSON).replace("False", "").replace("B30f", "")
    assert "2014" not in repr(PERSON)
    assert SeriesDescription.from_json(PERSON.as_json()) == PERSON


def test_a_description_from_before_there_were_facts_of_people_reads_as_one_without():
    written = {
        "slice_thickness_mm": 3.0, "kernel": "B30f", "tube_voltage_kv": 120.0, "manufacturer": None, "model": None,
        "views": ["anterior"], "units": None, "value_slope": 2.0, "value_intercept": 1.0, "spacing_source": "detector",
    }  # fmt: skip
    read = SeriesDescription.from_json(written)
    assert (read.patient_sex, read.patient_age_years, read.study_date) == (None, None, None)
    assert (read.kernel, read.views, read.value_slope) == ("B30f", ("anterior",), 2.0)
    assert SeriesDescription.from_json({}) == SeriesDescription()


@pytest.mark.django_db
@pytest.mark.db
def test_a_scan_is_known_by_mapped_uids_and_by_facts_that_were_chosen(sent):
    for path in (sent / "a").glob("ct-*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.PatientSex, dataset.PatientAge, dataset.StudyDate = "F", "093Y", "20140309"
        dataset.PatientWeight, dataset.PatientSize = "58.5", "162"  # centimetres: a slip, and dropped
        dataset.save_as(path)
    policy = DeidentificationPolicy(SECRET, keep_patient_characteristics=True, shift_dates=True)
    (patient,) = ingest_folder(trial_id=TRIAL, institute_id=INSTITUTE, folder=sent, policy=policy).patients
    volume = StoredVolume.objects.get(id=patient.volume.id)
    assert volume.study_uid == policy.mapped_uid(dataset.StudyInstanceUID)
    assert volume.series_uid == policy.mapped_uid(dataset.SeriesInstanceUID)
    assert volume.frame_of_reference_uid == policy.mapped_uid(dataset.FrameOfReferenceUID)
    assert volume.description["version"] == 2
    facts = volume.series_description
    assert (facts.patient_sex, facts.patient_age_years, facts.patient_weight_kg) == ("F", 90.0, 58.5)
    assert facts.patient_size_m is None
    assert facts.study_date == date(2014, 3, 9) - policy.date_shift("Secret^Person")


@pytest.mark.django_db
@pytest.mark.db
def test_a_volume_file_gets_uids_of_its_own(tmp_path, policy):
    folder = tmp_path / "files" / "p1"
    folder.mkdir(parents=True)
    write_image_nrrd(make_volume(), folder / "image.nrrd")
    (patient,) = ingest_folder(
        trial_id=TRIAL, institute_id=INSTITUTE, folder=tmp_path / "files", policy=policy
    ).patients
    expected = derived_uids(
        trial_id=TRIAL, patient_key=policy.patient_key("p1"), pixel_hash=patient.volume.pixel_hash
    )
    found = (patient.volume.study_uid, patient.volume.series_uid, patient.volume.frame_of_reference_uid)
    assert found == (expected.study, expected.series, expected.frame_of_reference)
    assert len(set(found)) == 3
    elsewhere = derived_uids(
        trial_id=OTHER_TRIAL, patient_key=patient.patient_key, pixel_hash=patient.volume.pixel_hash
    )
    assert not {elsewhere.study, elsewhere.series, elsewhere.frame_of_reference} & set(found)


@pytest.mark.django_db
@pytest.mark.db
def test_volumes_from_before_there_were_uids_get_derived_ones():
    volumes = [volume_store(make_volume(n), trial_id=TRIAL, institute_id=INSTITUTE) for n in (1, 2)]
    expected = [(v.study_uid, v.series_uid, v.frame_of_reference_uid) for v in volumes]
    StoredVolume.objects.update(study_uid="", series_uid="", frame_of_reference_uid="")
    migration = import_module("equipoise.archive.migrations.0003_name_volumes_that_have_no_uids")
    migration.name_volumes(apps, None)
    for volume, uids in zip(volumes, expected, strict=True):
        volume.refresh_from_db()
        assert (volume.study_uid, volume.series_uid, volume.frame_of_reference_uid) == uids


@pytest.mark.django_db
@pytest.mark.db
def test_a_kernel_that_is_a_name_of_the_header_s_is_dropped(sent, policy):
    for path in (sent / "a").glob("ct-*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.ConvolutionKernel = "PERSON"
        dataset.save_as(path)
    (patient,) = ingest_folder(trial_id=TRIAL, institute_id=INSTITUTE, folder=sent, policy=policy).patients
    assert patient.volume.series_description.kernel is None
