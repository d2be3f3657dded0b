"""DICOM SEG: frames are put where they say, or refused."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits

from equipoise.imaging.dicom_image import DicomIdentity
from equipoise.imaging.errors import (
    EmptyMaskError,
    FrameOfReferenceError,
    GridMismatchError,
    NotAnImageError,
    RoiAbsentError,
    UnsupportedImageError,
)
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import FileOutcome, read_folder, read_mask
from tests.unit.imaging.conftest import NAMESPACE


def item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def write_segmentation(
    path: Path, masks: dict[str, Mask], *, shift_mm: float = 0.0, kind: str = "BINARY"
) -> None:
    """Write only the slices that have voxels, segment by segment, as exporters do."""
    grid = next(iter(masks.values())).grid
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.SegmentationStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("2.25.77")
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "2.25.77"
    dataset.Modality, dataset.PatientID, dataset.SegmentationType = "SEG", "P1", kind
    dataset.SeriesInstanceUID = "2.25.78"
    dataset.FrameOfReferenceUID = DicomIdentity.named(NAMESPACE, "P1").frame_of_reference_uid
    dataset.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=DicomIdentity.named(NAMESPACE, "P1").series_uid)
    ]
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])],
            PixelMeasuresSequence=[item(PixelSpacing=[str(s) for s in grid.spacing_mm_zyx[1:]])],
        )
    ]
    frames, groups, segments = [], [], []
    for number, (label, mask) in enumerate(masks.items(), start=1):
        segments.append(item(SegmentNumber=number, SegmentLabel=label))
        for z in np.flatnonzero(mask.array.any(axis=(1, 2)))[::-1]:
            frames.append(mask.array[z])
            position = grid.index_to_patient(np.array([0, 0, z])) + np.array([0, 0, shift_mm])
            groups.append(
                item(
                    SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
                    PlanePositionSequence=[item(ImagePositionPatient=[f"{v:g}" for v in position])],
                )
            )
    dataset.SegmentSequence, dataset.PerFrameFunctionalGroupsSequence = segments, groups
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = len(frames), *grid.shape_zyx[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = dataset.PixelRepresentation = 0
    dataset.PixelData = pack_bits(np.stack(frames).astype(np.uint8))
    if kind == "FRACTIONAL":  # inside 130 of 250, a rim of 100 to the left of it
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.MaximumFractionalValue, dataset.SegmentationFractionalType = 250, "PROBABILITY"
        inside = np.stack(frames)
        rim = np.roll(inside, -1, axis=2) & ~inside
        dataset.PixelData = np.where(inside, 130, np.where(rim, 100, 0)).astype(np.uint8).tobytes()
    dataset.save_as(path, enforce_file_format=True)


@pytest.fixture
def segmented(scan: Path, mask: Mask) -> Path:
    """The scan with a segmentation object instead of its structure set; segments are made different."""
    (scan / "rs.dcm").unlink()
    other = Mask(np.roll(mask.array, 1, axis=0), mask.grid)
    write_segmentation(scan / "seg.dcm", {"Lung": other, "GTV": mask})
    return scan


def test_segments_come_back_voxel_by_voxel(segmented: Path, mask: Mask):
    np.testing.assert_array_equal(read_mask(segmented, roi="gtv").array, mask.array)
    np.testing.assert_array_equal(
        read_mask(segmented / "seg.dcm", roi="Lung").array, np.roll(mask.array, 1, axis=0)
    )
    lines = {r.path: (r.outcome, r.kind) for r in read_folder(segmented).reports}
    assert lines["seg.dcm"] == (FileOutcome.USED, "segmentation")


def test_absent_segment_lists_the_labels(segmented: Path):
    with pytest.raises(
        RoiAbsentError, match=r"seg\.dcm has no region 'Heart' that encloses anything; it has: Lung, GTV"
    ):
        read_mask(segmented, roi="Heart")


def test_frames_off_the_slices_are_refused(segmented: Path, mask: Mask):
    for shift_mm in (2.0, 50.0):
        write_segmentation(segmented / "seg.dcm", {"GTV": mask}, shift_mm=shift_mm)
        with pytest.raises(
            GridMismatchError, match=r"^seg\.dcm has a frame that is not on the image's voxels"
        ):
            read_mask(segmented, roi="GTV")


def test_fractions_are_inside_from_one_half(segmented: Path, mask: Mask):
    path = segmented / "seg.dcm"
    write_segmentation(path, {"GTV": mask}, kind="FRACTIONAL")
    np.testing.assert_array_equal(read_mask(segmented, roi="GTV").array, mask.array)
    change(path, MaximumFractionalValue=200)  # 100 is half of it
    rim = np.roll(mask.array, -1, axis=2)
    np.testing.assert_array_equal(read_mask(segmented, roi="GTV").array, mask.array | rim)


def test_label_maps_are_taken_apart(segmented: Path, mask: Mask):
    path = segmented / "seg.dcm"
    z = np.flatnonzero(mask.array.any(axis=(1, 2)))[::-1]
    write_segmentation(path, {"GTV": mask, "Lung": mask}, kind="LABELMAP")
    dataset = pydicom.dcmread(path)
    labels = np.where(mask.array[z], 1, 0).astype(np.uint8)
    labels[:, :, 20:] = 2
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[: len(z)]
    for group in dataset.PerFrameFunctionalGroupsSequence:
        del group.SegmentIdentificationSequence
    dataset.SegmentSequence = [item(SegmentNumber=0, SegmentLabel="Background"), *dataset.SegmentSequence]
    dataset.NumberOfFrames, dataset.PhotometricInterpretation = len(z), "PALETTE COLOR"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = labels.tobytes()
    dataset.save_as(path, enforce_file_format=True)
    assert read_folder(segmented).structure_sets[0].roi_names == ["GTV", "Lung"]
    np.testing.assert_array_equal(read_mask(segmented, roi="GTV").array, mask.array)
    expected = np.zeros_like(mask.array)
    expected[1:5, :, 20:] = True
    np.testing.assert_array_equal(read_mask(segmented, roi="Lung").array, expected)


def test_unknown_kinds_are_refused(segmented: Path):
    change(segmented / "seg.dcm", SegmentationType="SURFACE")
    with pytest.raises(UnsupportedImageError, match="is a segmentation of a kind that is not read"):
        read_mask(segmented, roi="GTV")


def change(path: Path, **attributes: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)


def test_other_coordinates_empty_and_damaged_segments_are_refused(segmented: Path, mask: Mask):
    path = segmented / "seg.dcm"
    original = path.read_bytes()
    change(path, FrameOfReferenceUID="2.25.1")
    with pytest.raises(FrameOfReferenceError, match="drawn in another frame of reference"):
        read_mask(segmented, roi="GTV")
    path.write_bytes(original)
    change(path, PixelData=bytes(len(pydicom.dcmread(path).PixelData)))
    with pytest.raises(EmptyMaskError, match=r"The segment 'GTV' of seg\.dcm has no voxel"):
        read_mask(segmented, roi="GTV")
    path.write_bytes(original)
    change(path, PerFrameFunctionalGroupsSequence=pydicom.dcmread(path).PerFrameFunctionalGroupsSequence[1:])
    with pytest.raises(NotAnImageError, match=r"The segment 'GTV' of seg\.dcm cannot be read"):
        read_mask(segmented, roi="GTV")
