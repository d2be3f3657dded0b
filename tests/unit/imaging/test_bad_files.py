"""Every fault has its own error, with a sentence that names the file and the cure, and no name of a person."""

import io
import struct
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image

from equipoise.common.errors import ErrorCode
from equipoise.imaging.containers import unpack
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.errors import (
    DuplicateSlicesError,
    EmptyMaskError,
    FrameOfReferenceError,
    GridMismatchError,
    ImageTooLargeError,
    IngestError,
    MissingSlicesError,
    NotAnImageError,
    RoiAbsentError,
    RoiAmbiguousError,
    SeveralSeriesError,
    TruncatedFileError,
    UnevenSpacingError,
    UnsafeArchiveError,
    UnsupportedImageError,
)
from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd
from equipoise.imaging.geometry import Grid
from equipoise.imaging.limits import ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.reading import read_folder, read_image, read_mask
from equipoise.imaging.volume import ImageVolume
from tests.unit.imaging.conftest import NAMESPACE


def move(path: Path, z_mm: float, edit) -> None:
    x, y, _ = pydicom.dcmread(path).ImagePositionPatient
    edit(path, ImagePositionPatient=[x, y, str(z_mm)])


# --- series ---------------------------------------------------------------------------------------------------------


def test_missing_slices(scan: Path):
    (scan / "ct-0002.dcm").unlink()
    (scan / "ct-0003.dcm").unlink()
    with pytest.raises(MissingSlicesError) as caught:
        read_image(scan)
    assert caught.value.message == (
        "The series of ct-0000.dcm misses about 2 slice(s): between ct-0001.dcm and ct-0004.dcm lie 15.00 mm "
        "instead of 5.00 mm. Send the complete series."
    )
    assert caught.value.code is ErrorCode.INGEST_MISSING_SLICES
    assert {r.code for r in read_folder(scan).failures()} == {ErrorCode.INGEST_MISSING_SLICES}
    assert len(read_folder(scan).failures()) == 4


def test_uneven_spacing(scan: Path, edit):
    move(scan / "ct-0003.dcm", -300 + 15 + 0.4, edit)
    with pytest.raises(
        UnevenSpacingError, match=r"is unevenly spaced: its steps run from 4\.600 to 5\.400 mm\. Send one"
    ):
        read_image(scan)


def test_jitter_of_rounded_headers_is_accepted(scan: Path, volume: ImageVolume, edit):
    move(scan / "ct-0003.dcm", -300 + 15 + 0.02, edit)
    np.testing.assert_array_equal(read_image(scan).array, volume.array)


def test_duplicate_slices(scan: Path, edit):
    move(scan / "ct-0003.dcm", -300 + 10, edit)
    with pytest.raises(DuplicateSlicesError) as caught:
        read_image(scan)
    assert caught.value.message == (
        "ct-0002.dcm and ct-0003.dcm are different slices at the same position; send one reconstruction."
    )


def test_slices_of_another_size(scan: Path, edit):
    edit(scan / "ct-0004.dcm", Rows=19, PixelData=b"\0" * 19 * 24 * 2)
    with pytest.raises(
        UnsupportedImageError, match=r"ct-0004\.dcm has another size, pixel spacing or orientation than"
    ):
        read_image(scan)


def test_tilted_gantry(scan: Path, edit):
    for number, path in enumerate(sorted(scan.glob("ct-*.dcm"))):
        x, y, z = pydicom.dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[x, str(float(y) + number), z])
    with pytest.raises(
        UnsupportedImageError, match=r"was made with a tilted gantry; send an untilted reconstruction"
    ):
        read_image(scan)


def test_several_series_are_listed(scan: Path, volume: ImageVolume):
    thick = ImageVolume(volume.array[:3], Grid((3, 20, 24), (7.5, 0.8, 0.75)))
    write_ct_series(thick, scan / "other", patient_code="P2", namespace=NAMESPACE)
    with pytest.raises(SeveralSeriesError) as caught:
        read_image(scan)
    assert caught.value.message == (
        "scan holds 2 images (#1: CT, 6 x 20 x 24, slices every 5 mm, kernel B30f; #2: CT, 3 x 20 x 24, slices every "
        "7.5 mm); keep one."
    )


# --- DICOM files ----------------------------------------------------------------------------------------------------


def test_truncated_pixels(scan: Path):
    path = scan / "ct-0002.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        TruncatedFileError, match=r"^ct-0002\.dcm ends before its content does; copy it again\.$"
    ):
        read_image(scan)


def test_truncated_header(scan: Path):
    path = scan / "ct-0002.dcm"
    path.write_bytes(path.read_bytes()[:300])
    report = next(r for r in read_folder(scan).reports if r.path == "ct-0002.dcm")
    assert report.code in (ErrorCode.INGEST_TRUNCATED, ErrorCode.INGEST_NOT_AN_IMAGE)
    assert report.sentence.startswith("ct-0002.dcm ")


def test_png_named_dcm(scan: Path):
    Image.new("L", (8, 8)).save(scan / "picture.dcm", format="PNG")
    (failure,) = read_folder(scan).failures()
    assert failure.code is ErrorCode.INGEST_NOT_AN_IMAGE
    assert (
        failure.sentence == "picture.dcm is not a DICOM file but a PNG picture; send the DICOM file itself."
    )


def test_deflated_files_are_inflated_up_to_the_limit(scan: Path):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    path = scan / "ct-0001.dcm"
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read_image(scan).array[1], np.full((20, 24), -1024))
    dataset.add_new(0x00091010, "OB", bytes(10_000_000))
    dataset.save_as(path, enforce_file_format=True)
    for limits, most in (
        (ReadLimits(), 200 * path.stat().st_size),
        (ReadLimits(max_compression_ratio=1e6, max_inflated_bytes=9_000_000), 9_000_000),
    ):
        (failure,) = [r for r in read_folder(scan, limits=limits).failures() if r.path == path.name]
        assert failure.code is ErrorCode.INGEST_TOO_LARGE
        assert failure.sentence.startswith(f"ct-0001.dcm inflates to more than the {most:,} bytes")


@pytest.mark.parametrize(
    "value, words",
    [
        (b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * 400_001, "more than 400,000 DICOM elements"),
        (b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" * 60_000, "too deep"),
    ],
    ids=["many", "deep"],
)
def test_sequences_that_would_take_hours_are_refused_unread(scan: Path, value, words):
    path = scan / "ct-0001.dcm"
    content = path.read_bytes()
    place = content.index(b"\x10\x00\x10\x00PN")  # before the patient's name
    element = b"\x08\x00\x40\x11SQ\x00\x00" + len(value).to_bytes(4, "little") + value
    path.write_bytes(content[:place] + element + content[place:])
    (failure,) = [r for r in read_folder(scan).failures() if r.path == path.name]
    assert failure.code is ErrorCode.INGEST_TOO_LARGE
    assert words in failure.sentence


def test_a_million_elements_are_refused(scan: Path):
    path = scan / "ct-0001.dcm"
    content = path.read_bytes()
    place = content.index(b"\x10\x00\x10\x00PN")
    path.write_bytes(content[:place] + b"\x09\x00\x10\x00LO\x00\x00" * 1_000_001 + content[place:])
    (failure,) = [r for r in read_folder(scan).failures() if r.path == path.name]
    assert failure.code is ErrorCode.INGEST_TOO_LARGE
    assert "more than 400,000 DICOM elements" in failure.sentence


def test_a_frame_too_large_to_compute_with_is_refused(scan: Path):
    with pytest.raises(
        ImageTooLargeError, match="claims 20 x 24 pixels; at most 959 bytes are read as one frame"
    ):
        read_image(scan, limits=ReadLimits(max_frame_bytes=959))


@pytest.mark.parametrize("slope", ["1e300", "nan", "inf"])
def test_a_slope_that_is_no_usable_number_is_refused(scan: Path, edit, slope):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = scan / "ct-0001.dcm"
        content = path.read_bytes()
        place = content.index(b"\x28\x00\x53\x10DS") + 8
        length = int.from_bytes(content[place - 2 : place], "little")
        padded = slope.encode().ljust(-(-len(slope) // 2) * 2)
        head = content[: place - 2] + len(padded).to_bytes(2, "little")
        path.write_bytes(head + padded + content[place + length :])
    with pytest.raises(UnsupportedImageError, match=r"ct-0001\.dcm has a rescale slope or intercept"):
        read_image(scan)


def test_deflated_file_that_ends_early(scan: Path):
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    path = scan / "ct-0001.dcm"
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes()[:-200])
    (failure,) = [r for r in read_folder(scan).failures() if r.path == path.name]
    assert failure.code is ErrorCode.INGEST_TRUNCATED
    assert failure.sentence == "ct-0001.dcm ends before its content does; copy it again."


def test_empty_file_named_dcm(scan: Path):
    (scan / "empty.dcm").write_bytes(b"")
    (failure,) = read_folder(scan).failures()
    assert failure.sentence == "empty.dcm is not a DICOM file but an empty file; send the DICOM file itself."


def test_header_that_claims_eight_gigabytes_is_refused_before_anything_is_allocated(scan: Path, edit):
    edit(scan / "ct-0000.dcm", Rows=65535, Columns=65535)
    started = time.perf_counter()
    with pytest.raises(ImageTooLargeError) as caught:
        read_image(scan)
    assert time.perf_counter() - started < 2
    assert caught.value.message == (
        "ct-0000.dcm claims 65535 x 65535 pixels in 1 frame(s), 8,589,672,450 bytes; at most 1,073,741,824 bytes are "
        "read as one image."
    )


def test_header_that_claims_more_than_its_file_holds(scan: Path, edit):
    edit(scan / "ct-0000.dcm", Rows=2000, Columns=2000)
    with pytest.raises(TruncatedFileError, match=r"^ct-0000\.dcm ends before"):
        read_image(scan)


def test_stack_that_is_too_large_in_all(scan: Path):
    with pytest.raises(ImageTooLargeError, match=r"has 6 slices of 20 x 24; at most 5,000 bytes"):
        read_image(scan, limits=ReadLimits(max_image_bytes=5000))
    with pytest.raises(ImageTooLargeError, match=r"has 6 slices of 20 x 24; at most 5,759 bytes"):
        read_image(scan, limits=ReadLimits(max_series_bytes=6 * 20 * 24 * 2 - 1))


def test_colour_and_multi_frame_slices(scan: Path, edit):
    edit(scan / "ct-0001.dcm", PhotometricInterpretation="MONOCHROME1")
    with pytest.raises(UnsupportedImageError, match=r"ct-0001\.dcm is not a MONOCHROME2 grey-scale image"):
        read_image(scan)


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"])
def test_absent_geometry_is_named(scan: Path, keyword):
    path = scan / "ct-0001.dcm"
    dataset = pydicom.dcmread(path)
    delattr(dataset, keyword)
    dataset.save_as(path, enforce_file_format=True)
    with pytest.raises(NotAnImageError, match=rf"^ct-0001\.dcm: the DICOM attribute {keyword} must hold"):
        read_image(scan)


# --- structure sets -------------------------------------------------------------------------------------------------


def test_region_absent_lists_the_names(scan: Path):
    with pytest.raises(RoiAbsentError) as caught:
        read_mask(scan, roi="GTV-2")
    assert caught.value.message == "rs.dcm has no region 'GTV-2' that encloses anything; it has: GTV-1, Lung."


def test_region_ambiguous_lists_the_names(scan: Path):
    with pytest.raises(RoiAmbiguousError) as caught:
        read_mask(scan, roi="*")
    assert caught.value.message == (
        "rs.dcm has 2 regions that answer to '*': GTV-1, Lung. Name one of them exactly."
    )
    with pytest.raises(RoiAmbiguousError, match="answer to the only region: GTV-1, Lung"):
        read_mask(scan)


def test_structure_set_of_another_frame_of_reference(scan: Path, mask: Mask):
    write_structure_set({"GTV-1": mask}, scan / "rs.dcm", patient_code="another", namespace=NAMESPACE)
    with pytest.raises(FrameOfReferenceError) as caught:
        read_mask(scan, roi="GTV-1")
    assert caught.value.message == (
        "rs.dcm was drawn in another frame of reference than the 1 image series beside it; send the images it was "
        "drawn on."
    )


def test_referenced_series_is_chosen_among_several_in_one_frame_of_reference(scan, volume, mask, edit):
    other = scan / "other"
    write_ct_series(volume, other, patient_code="P1", namespace=NAMESPACE)
    for number, path in enumerate(sorted(other.iterdir())):
        edit(path, SeriesInstanceUID="2.25.99", SOPInstanceUID=f"2.25.99{number}")
    np.testing.assert_array_equal(read_mask(scan, roi="GTV-1").array, mask.array)
    structures = pydicom.dcmread(scan / "rs.dcm")
    del structures.ReferencedFrameOfReferenceSequence
    structures.save_as(scan / "rs.dcm", enforce_file_format=True)
    with pytest.raises(
        FrameOfReferenceError, match="names none of the 2 image series in its frame of reference"
    ):
        read_mask(scan, roi="GTV-1")


def shift_contours(path: Path, shift_mm: tuple[float, float, float]) -> None:
    dataset = pydicom.dcmread(path)
    for roi in dataset.ROIContourSequence:
        for contour in roi.ContourSequence:
            points = np.reshape([float(v) for v in contour.ContourData], (-1, 3)) + shift_mm
            contour.ContourData = [f"{v:.6g}" for v in points.ravel()]
    dataset.save_as(path, enforce_file_format=True)


def test_contours_between_slices(scan: Path):
    shift_contours(scan / "rs.dcm", (0, 0, 2.0))
    with pytest.raises(
        GridMismatchError, match=r"a contour 2\.00 mm from the nearest slice \(slices lie 5 mm apart\)"
    ):
        read_mask(scan, roi="GTV-1")


def test_contours_beyond_the_slices(scan: Path):
    shift_contours(scan / "rs.dcm", (0, 0, 10.0))
    with pytest.raises(GridMismatchError, match="reaches beyond the image's 6 slices"):
        read_mask(scan, roi="GTV-1")


def test_contours_beside_the_image_are_an_empty_mask(scan: Path):
    shift_contours(scan / "rs.dcm", (500, 0, 0))
    with pytest.raises(
        EmptyMaskError, match=r"Region 'GTV-1' of rs\.dcm encloses no voxel centre of the image"
    ):
        read_mask(scan, roi="GTV-1")


def test_too_many_points(scan: Path):
    with pytest.raises(ImageTooLargeError, match="has more than 20 points"):
        read_mask(scan, roi="GTV-1", limits=ReadLimits(max_contour_points=20))


def test_damaged_contour_numbers(scan: Path):
    path = scan / "rs.dcm"
    dataset = pydicom.dcmread(path)
    points = len(dataset.ROIContourSequence[0].ContourSequence[0].ContourData)
    assert points % 3 == 0
    content = path.read_bytes()
    place = content.index(b"CLOSED_PLANAR")
    digits = content.index(b".", place)
    path.write_bytes(content[:digits] + b"x" + content[digits + 1 :])
    with pytest.raises(NotAnImageError, match=r"The contours of region 'GTV-1' in rs\.dcm cannot be read"):
        read_mask(scan, roi="GTV-1")


# --- volume files ---------------------------------------------------------------------------------------------------


def test_mask_on_another_grid(tmp_path, volume, mask):
    moved = Mask(mask.array, Grid(mask.grid.shape_zyx, mask.grid.spacing_mm_zyx, (0.0, 20.25, -300.0)))
    write_mask_nrrd(moved, tmp_path / "m.nrrd")
    with pytest.raises(GridMismatchError) as caught:
        read_mask(tmp_path / "m.nrrd", image=volume)
    assert caught.value.message == (
        "The mask m.nrrd is not on the image's voxels: origin 10.50 mm away. Resample it to the image before sending."
    )


def test_empty_mask(tmp_path, mask):
    write_mask_nrrd(Mask(np.zeros_like(mask.array), mask.grid), tmp_path / "m.nrrd")
    with pytest.raises(
        EmptyMaskError, match=r"^The mask m\.nrrd has no voxel; send the contour that was meant\.$"
    ):
        read_mask(tmp_path / "m.nrrd")


def test_probability_map_is_not_a_mask(tmp_path):
    image = SimpleITK.GetImageFromArray(np.linspace(0, 1, 60).reshape(3, 4, 5))
    SimpleITK.WriteImage(image, str(tmp_path / "m.nrrd"))
    with pytest.raises(
        UnsupportedImageError, match="holds 59 different values, not labels; apply the threshold"
    ):
        read_mask(tmp_path / "m.nrrd")


def test_several_labels(tmp_path):
    image = SimpleITK.GetImageFromArray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2) % 3)
    SimpleITK.WriteImage(image, str(tmp_path / "m.nrrd"))
    with pytest.raises(RoiAmbiguousError, match=r"m\.nrrd has 2 labels \(1, 2\); name one of them"):
        read_mask(tmp_path / "m.nrrd")
    with pytest.raises(RoiAbsentError, match=r"m\.nrrd has no label '5'; it has: 1, 2"):
        read_mask(tmp_path / "m.nrrd", roi="5")


@pytest.mark.parametrize("suffix", ["nrrd", "nii", "nii.gz", "mha"])
def test_truncated_volume_files(tmp_path, volume, suffix):
    path = tmp_path / f"image.{suffix}"
    write_image_nrrd(volume, path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(TruncatedFileError, match=r"(ends before its content does|ends early); copy it again"):
        read_image(path)


def test_truncated_raw_files(tmp_path, volume):
    image = SimpleITK.GetImageFromArray(volume.array)
    for suffix in ("nrrd", "mha"):
        path = tmp_path / f"image.{suffix}"
        SimpleITK.WriteImage(image, str(path), useCompression=False)
        path.write_bytes(path.read_bytes()[:-500])
        with pytest.raises(TruncatedFileError, match=rf"^image\.{suffix} ends before its content does"):
            read_image(path)


def test_volume_files_that_claim_eight_gigabytes(tmp_path):
    nrrd = tmp_path / "big.nrrd"
    nrrd.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2048 2048 1024\nspace: left-posterior-superior\nencoding: gzip\n"
        b"endian: little\n\n" + b"\0" * 10
    )
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 2048, 2048, 1024, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    nifti = tmp_path / "big.nii"
    nifti.write_bytes(bytes(header))
    for path in (nrrd, nifti):
        with pytest.raises(
            ImageTooLargeError, match=rf"^{path.name} claims 2048 x 2048 x 1024 voxels; at most"
        ):
            read_image(path)


def test_header_that_names_a_file_elsewhere(tmp_path):
    secret = tmp_path / "secret.raw"
    secret.write_bytes(b"\1" * 1000)
    folder = tmp_path / "sent"
    folder.mkdir()
    nrrd = folder / "image.nrrd"
    nrrd.write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 10 10 10\nencoding: raw\ndata file: ../secret.raw\n\n"
    )
    mhd = folder / "image.mhd"
    mhd.write_text(
        f"ObjectType = Image\nNDims = 3\nDimSize = 10 10 10\nElementType = MET_UCHAR\nElementDataFile = {secret}\n"
    )
    for path in (nrrd, mhd):
        with pytest.raises(
            UnsafeArchiveError, match=rf"{path.name} names a data file elsewhere; send one file"
        ):
            read_image(path)


def test_not_what_its_name_says(tmp_path):
    (tmp_path / "image.nrrd").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "image.mha").write_bytes(b"hello")
    with pytest.raises(NotAnImageError, match=r"image\.nrrd is not what its name says"):
        read_image(tmp_path / "image.nrrd")
    with pytest.raises(NotAnImageError, match=r"image\.mha cannot be read as an image"):
        read_image(tmp_path / "image.mha")


# --- archives -------------------------------------------------------------------------------------------------------


def zip_with(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as sink:
        for name, content in members:
            sink.writestr(name, content)
    return path


def link_in_zip() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # the duplicate is what is tested
@pytest.mark.parametrize(
    "members, reason",
    [
        ([("../evil", b"x")], "a member's name climbs out of the folder by '..'"),
        ([("a/../../evil", b"x")], "a member's name climbs out of the folder by '..'"),
        ([("a\\..\\..\\evil", b"x")], "a member's name climbs out of the folder by '..'"),
        ([("/etc/evil", b"x")], "a member has an absolute name"),
        ([("C:\\evil", b"x")], "a member has an absolute name"),
        ([(link_in_zip(), b"/etc/passwd")], "member 1 is a link"),
        ([("a", b"x"), ("A", b"y")], "member 2 has the name of an earlier one"),
        ([("bomb", b"\0" * 3_000_000)], "member 1 unpacks to"),
        ([(f"f{n}", b"x") for n in range(5)], "it has more than 4 members"),
        ([("a", bytes(range(256)) * 3), ("b", b"y" * 300)], "it unpacks to more than 1000 bytes"),
    ],
)
def test_unsafe_zips_leave_nothing_behind(tmp_path, members, reason):
    archive, target = zip_with(tmp_path / "sent.zip", *members), tmp_path / "target"
    target.mkdir()
    limits = ReadLimits(max_files=4, max_unpacked_bytes=1000 if reason.endswith("bytes") else 10**9)
    with pytest.raises(UnsafeArchiveError) as caught:
        unpack(archive, target, limits=limits)
    assert caught.value.message.startswith(f"sent.zip was not unpacked: {reason}")
    assert list(target.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def tar_with(path: Path, info: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as sink:
        info.size = len(content)
        sink.addfile(info, io.BytesIO(content))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "info, content, reason",
    [
        (tar_member("../evil"), b"x", "climbs out of the folder"),
        (tar_member("/etc/evil"), b"x", "absolute name"),
        (tar_member("link", tarfile.SYMTYPE, "/etc/passwd"), b"", "member 1 is a link"),
        (tar_member("link", tarfile.LNKTYPE, "../evil"), b"", "member 1 is a link"),
        (tar_member("device", tarfile.CHRTYPE), b"", "member 1 is a device"),
        (tar_member("bomb"), b"\0" * 3_000_000, "it unpacks to"),
    ],
)
def test_unsafe_tars_leave_nothing_behind(tmp_path, info, content, reason):
    archive, target = tar_with(tmp_path / "sent.tar.gz", info, content), tmp_path / "target"
    target.mkdir()
    with pytest.raises(UnsafeArchiveError, match=reason):
        unpack(archive, target)
    assert list(target.iterdir()) == []


def test_zip_that_lies_about_sizes_is_stopped_while_writing(tmp_path):
    archive = zip_with(tmp_path / "sent.zip", ("a", b"x" * 5000))
    content = archive.read_bytes().replace(struct.pack("<I", 5000), struct.pack("<I", 10))
    archive.write_bytes(content)
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(IngestError, match=r"^sent\.zip "):
        unpack(archive, target)
    assert list(target.iterdir()) == []


def test_damaged_archives(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "none.zip").write_bytes(b"hello")
    with pytest.raises(
        NotAnImageError, match=r"none\.zip is not a readable archive, though its name says so"
    ):
        unpack(tmp_path / "none.zip", target)
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(TruncatedFileError, match=r"empty\.tar ends before its content does"):
        unpack(tmp_path / "empty.tar", target)


@pytest.mark.parametrize(
    ("method", "packed"),
    [
        (97, b"\xff" * 64),  # no method that is known
        (zipfile.ZIP_DEFLATED, b"\xff" * 64),
        (zipfile.ZIP_BZIP2, b"\xff" * 64),
        (zipfile.ZIP_LZMA, b"\xff" * 64),
        (zipfile.ZIP_LZMA, b"\x09\x14\x05\0" + b"\xff" * 60),
    ],
)
def test_zips_packed_in_no_known_way_are_damaged(tmp_path, method, packed):
    """Bytes that are stored, under headers that name another method."""
    path, target = tmp_path / "sent.zip", tmp_path / "target"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plain.bin", packed)
    content = bytearray(path.read_bytes())
    for place in (8, content.index(b"PK\x01\x02") + 10):
        content[place : place + 2] = struct.pack("<H", method)
    path.write_bytes(content)
    target.mkdir()
    with pytest.raises((NotAnImageError, TruncatedFileError), match=r"^sent\.zip "):
        unpack(path, target)
    assert list(target.iterdir()) == []


def test_a_zip_whose_names_are_no_text_is_damaged(tmp_path):
    path, target = tmp_path / "sent.zip", tmp_path / "target"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ä.bin", b"x")
    path.write_bytes(path.read_bytes().replace("ä".encode(), b"\xff\xff"))
    target.mkdir()
    with pytest.raises(NotAnImageError, match=r"^sent\.zip is not a readable archive"):
        unpack(path, target)
    assert list(target.iterdir()) == []


# --- what never happens -----------------------------------------------------------------------------------------------


def test_no_sentence_quotes_a_patient_attribute(scan: Path, edit):
    for path in scan.glob("ct-*.dcm"):
        edit(path, PatientName="Verysecret^Name", PatientID="ID-4711", StudyDescription="of Verysecret")
    edit(scan / "ct-0001.dcm", Rows=65535)
    (scan / "ct-0003.dcm").unlink()
    for report in read_folder(scan).reports:
        assert "erysecret" not in report.sentence
        assert "4711" not in report.sentence


def test_a_tiff_whose_second_picture_is_damaged_is_refused(tmp_path: Path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((4, 5), np.uint16)).save(path)
    content = bytearray(path.read_bytes())
    first = int.from_bytes(content[4:8], "little")
    count = int.from_bytes(content[first : first + 2], "little")
    link = first + 2 + 12 * count
    content[link : link + 4] = len(content).to_bytes(4, "little")
    path.write_bytes(bytes(content) + b"\x00\x00\x00\x00\x00\x00")  # a directory without entries
    (failure,) = read_folder(tmp_path).failures()
    assert failure.code is ErrorCode.INGEST_NOT_AN_IMAGE
    assert "what follows its first picture cannot be read" in failure.sentence
