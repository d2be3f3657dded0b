"""Images leave as DICOM instances that others accept: validated by dicom3tools, read by SimpleITK and dcmtk."""

import os
import shutil
import subprocess
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK

from equipoise.imaging.dicom_image import DicomIdentity, DicomImage, decimal_string, file_bytes
from equipoise.imaging.dicom_write import structure_set, write_image_series
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import read_image, read_mask
from equipoise.imaging.segmentation_write import segmentation
from equipoise.imaging.volume import (
    CT_WINDOWS,
    ImageVolume,
    SeriesDescription,
    SpacingSource,
    default_windows,
)

IDENTITY = DicomIdentity.named(uuid.UUID(int=7), "C-017")
SLICES = Grid((4, 12, 16), (2.5, 0.9, 0.8), (-100.25, 30.5, -700.0))
PLANE = Grid((2, 12, 16), (1.0, 2.4, 2.4))
FACTS = SeriesDescription(slice_thickness_mm=3.0)


def image(modality: str, description: SeriesDescription, grid: Grid = SLICES, **ends: int) -> ImageVolume:
    rng = np.random.default_rng(5)
    array = rng.integers(ends.get("low", -1000), ends.get("high", 1500), grid.shape_zyx).astype(np.int16)
    array[0, 0, :2] = ends.get("first", -32768), ends.get("second", 32767)
    return ImageVolume(array, grid, modality, default_windows(array, modality=modality), description)


def views(*names: str, **facts) -> SeriesDescription:
    return SeriesDescription(views=names, **facts)


IMAGES = {
    "CT": image("CT", replace(FACTS, kernel="B30f", tube_voltage_kv=120.0)),
    "MR": image("MR", FACTS),
    "PT": image("PT", replace(FACTS, units="BQML", value_slope=0.0123456789012345)),
    "PT unsigned": image("PT", replace(FACTS, units="BQML", value_slope=0.5, value_intercept=16384.0)),
    "NM views": image("NM", views("anterior", "posterior"), PLANE, first=0, second=9, low=0),
    "NM volume": image("NM", FACTS),
    "CR": image("CR", views("PA", "LL", spacing_source=SpacingSource.DETECTOR), PLANE),
    "CR white": image("CR", views("PA", "LL", value_slope=-1.0, value_intercept=4095.0), PLANE),
    "DX": image(
        "DX", views("PA", "LL", spacing_source=SpacingSource.DETECTOR, value_intercept=32768.0), PLANE
    ),
    "DX white": image(
        "DX",
        views("PA", "LL", value_slope=-1.0, value_intercept=4095.0),
        PLANE,
        low=0,
        high=4000,
        first=0,
        second=4095,
    ),
    "DX odd": image("DX", views("PA", "LL", value_slope=0.37), PLANE),
    "CR film": image(
        "CR",
        views("PA", "LL", value_slope=-1.0, value_intercept=4095.0),
        PLANE,
        low=0,
        high=4000,
        first=0,
        second=4095,
    ),
    "OT": image("OT", views("view 1", "view 2", spacing_source=SpacingSource.UNKNOWN), PLANE),
    "MG": image("MG", views("CC", "MLO"), PLANE),
}


_EMPTY = "Error - Empty attribute (no value) Type 1C Conditional Element=<{}> Module=<{}>"
UNKNOWN_TO_US = {
    "DX": {_EMPTY.format("PatientOrientation", "DXImage")},
    "NM views": {_EMPTY.format("ActualFrameDuration", "NMImage")},
}
"""How the patient lies in a radiograph, and how long a view took, is not kept; an invented one would be worse."""


def tool(name: str) -> str:
    """Return a program's path, or skip (fail where CI is set): dicom3tools and dcmtk are Debian packages."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI is set, but {name} is not installed.")
        pytest.skip(f"{name} is not installed.")
    return found


def complaints(path: Path) -> list[str]:
    """Return what dciodvfy calls an error."""
    done = subprocess.run([tool("dciodvfy"), str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line.startswith("Error")]


@pytest.mark.parametrize("name", IMAGES)
def test_instances_are_valid_objects_of_their_class(tmp_path, name):
    files = write_image_series(IMAGES[name], tmp_path, identity=IDENTITY)
    found = {complaint for path in files for complaint in complaints(path)}
    assert found == UNKNOWN_TO_US.get("DX" if name.startswith("DX") else name, set())


@pytest.mark.parametrize("name", IMAGES)
def test_pixels_read_by_others_are_the_voxels_to_the_bit(tmp_path, name):
    original = IMAGES[name]
    files = write_image_series(original, tmp_path, identity=IDENTITY)
    datasets = [pydicom.dcmread(path) for path in files]
    stored = np.concatenate([np.atleast_3d(one.pixel_array.T).T for one in datasets]).astype(np.float64)
    slope, intercept = float(datasets[0].RescaleSlope), float(datasets[0].RescaleIntercept)
    values = stored * slope + intercept
    if name == "DX odd":  # DX has no scale: the order of the voxels is what is kept
        assert np.array_equal(values - 32768, original.array)
        return
    wanted = original.values()
    tolerance = 1e-9 * max(np.abs(wanted).max(), 1.0)  # of sixteen characters for the slope
    np.testing.assert_allclose(values, wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("name", ["CT", "MR", "PT", "PT unsigned", "NM volume"])
def test_volumes_come_back_through_our_own_door_and_through_simpleitk(tmp_path, name):
    original = IMAGES[name]
    write_image_series(original, tmp_path, identity=IDENTITY)
    again = read_image(tmp_path)
    assert again.grid.matches(SLICES, tolerance_mm=1e-6)
    np.testing.assert_allclose(again.values(), original.values(), rtol=1e-9, atol=1e-9)
    if name == "NM volume":
        return  # one file whose frames ITK does not place
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    read = reader.Execute()
    np.testing.assert_allclose(read.GetOrigin(), SLICES.origin_mm_xyz)
    np.testing.assert_allclose(read.GetSpacing(), SLICES.spacing_mm_xyz)
    np.testing.assert_allclose(SimpleITK.GetArrayFromImage(read), original.values(), rtol=1e-6)


@pytest.mark.parametrize("name", ["NM views", "CR", "CR white", "CR film", "DX", "DX white", "OT"])
def test_views_come_back_with_their_names_and_the_same_picture(tmp_path, name):
    original = IMAGES[name]
    write_image_series(original, tmp_path, identity=IDENTITY)
    again = read_image(tmp_path)
    assert again.description.views == original.description.views
    np.testing.assert_array_equal(again.array, original.array)
    assert again.description.spacing_source is original.description.spacing_source or name.startswith("DX")


def test_header_says_nothing_but_code_and_kept_facts():
    facts = replace(
        FACTS, patient_sex="F", patient_age_years=62.6, patient_weight_kg=71.5, study_date=date(2011, 3, 4)
    )
    told = DicomImage.of(image("CT", facts), IDENTITY).dataset(0)
    assert (told.PatientName, told.PatientID, told.PatientSex) == ("C-017", "C-017", "F")
    assert (told.PatientAge, told.PatientWeight, told.StudyDate) == ("063Y", 71.5, "20110304")
    assert told.LongitudinalTemporalInformationModified == "MODIFIED"
    silent = DicomImage.of(image("CT", FACTS), IDENTITY).dataset(0)
    assert (silent.PatientSex, silent.StudyDate, silent.AccessionNumber) == ("", "20000101", "")
    assert "PatientAge" not in silent
    assert silent.PatientIdentityRemoved == "YES"


def test_windows_are_told_in_the_units_of_the_rescaled_pixels():
    ct = DicomImage.of(IMAGES["CT"], IDENTITY).dataset(0)
    assert [float(v) for v in ct.WindowCenter] == [window.centre for window in CT_WINDOWS]
    assert [float(v) for v in ct.WindowWidth] == [window.width for window in CT_WINDOWS]
    white = DicomImage.of(IMAGES["DX white"], IDENTITY).dataset(0)
    [window] = IMAGES["DX white"].windows
    assert float(white.WindowCenter) == pytest.approx(4095 - window.centre)
    assert white.PhotometricInterpretation == "MONOCHROME1"


def test_contours_and_segments_are_valid_and_refer_to_the_image(tmp_path):
    array = np.zeros(SLICES.shape_zyx, dtype=bool)
    array[1:3, 3:9, 4:11] = True
    array[2, 5, 6] = False
    mask = Mask(array, SLICES)
    outgoing = DicomImage.of(IMAGES["CT"], IDENTITY)
    structures = structure_set({"expert": mask}, identity=IDENTITY)
    slices = [outgoing.dataset(number) for number in (1, 2)]
    segments = segmentation({"expert": mask}, slices=slices, first_slice=1, identity=IDENTITY)
    for name, dataset in (("rs.dcm", structures), ("seg.dcm", segments)):
        (tmp_path / name).write_bytes(file_bytes(dataset))
        assert (name, complaints(tmp_path / name)) == (name, [])
        assert dataset.StudyInstanceUID == IDENTITY.study_uid
    referenced = segments.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [one.ReferencedSOPInstanceUID for one in referenced] == [
        outgoing.dataset(number).SOPInstanceUID for number in (1, 2)
    ]
    write_image_series(IMAGES["CT"], tmp_path, identity=IDENTITY)
    for name in ("rs.dcm", "seg.dcm"):
        again = read_mask(tmp_path / name, roi="expert", image=tmp_path)
        np.testing.assert_array_equal(again.array, array)
    with pytest.raises(ValueError, match="not all within the 1 slices from 1"):
        segmentation({"expert": mask}, slices=slices[:1], first_slice=1, identity=IDENTITY)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (-100.25, "-100.25"),
        (1.2345678901234e-9, "1.2345678901e-09"),
        (100.19999999999999, "100.2"),
        (-0.0, "0.0"),
        (1.0, "1.0"),
    ],
)
def test_decimal_strings_hold_as_many_digits_as_fit(value, text):
    assert decimal_string(value) == text
    assert len(text) <= 16
