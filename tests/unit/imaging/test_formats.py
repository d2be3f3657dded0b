"""Kinds of images: every one comes back with the values and places that went in, or is refused with a sentence."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from equipoise.imaging.errors import (
    GridMismatchError,
    ImageTooLargeError,
    MissingSlicesError,
    NotAnImageError,
    SeveralSeriesError,
    TruncatedFileError,
    UnsupportedImageError,
)
from equipoise.imaging.limits import ReadLimits
from equipoise.imaging.reading import FileOutcome, read_folder, read_image, read_mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription, SpacingSource

ENHANCED_CT, PET, NUCLEAR, DIGITAL_RADIOGRAPH = (
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.128",
    "1.2.840.10008.5.1.4.1.1.20",
    "1.2.840.10008.5.1.4.1.1.1.1",
)
AXIAL = ["1", "0", "0", "0", "1", "0"]


def item(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def write(path: Path, pixels: np.ndarray, sop_class: str, modality: str, **attributes: object) -> Path:
    """Write one DICOM file; frames along the first axis where there are three."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(sop_class)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"2.25.{abs(hash(path.name))}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "P1", "2.25.5", "2.25.6"
    dataset.Modality, dataset.SamplesPerPixel = modality, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    path.parent.mkdir(exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def random_frames(count: int = 3, high: int = 4000, kind: str = "u2") -> np.ndarray:
    return np.random.default_rng(7).integers(0, high, (count, 10, 12)).astype(kind)


# --- volumes in one file --------------------------------------------------------------------------------------------


def write_enhanced(path: Path, pixels: np.ndarray, places_mm: list[float], slopes: list[float]) -> Path:
    groups = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=["-5", "2.5", str(z)])],
            PixelValueTransformationSequence=[
                item(RescaleSlope=str(slope), RescaleIntercept="-1000", RescaleType="HU")
            ],
        )
        for z, slope in zip(places_mm, slopes, strict=True)
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
        PixelMeasuresSequence=[item(PixelSpacing=["0.8", "0.75"], SliceThickness="4")],
        CTReconstructionSequence=[item(ConvolutionKernel=["B30f"])],
        CTXRayDetailsSequence=[item(KVP="120")],
    )
    return write(
        path,
        pixels,
        ENHANCED_CT,
        "CT",
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=groups,
    )


def test_enhanced_ct_is_a_stack_in_the_order_of_its_places(tmp_path: Path):
    pixels = random_frames()
    write_enhanced(tmp_path / "e.dcm", pixels, [10, 6, 8], [1, 2, 1])
    image = read_image(tmp_path)
    stored = pixels.astype(int)
    expected = np.stack([stored[1] * 2 - 1000, stored[2] - 1000, stored[0] - 1000])
    np.testing.assert_array_equal(image.array, expected)
    assert image.grid.spacing_mm_zyx == (2.0, 0.8, 0.75)
    assert image.grid.origin_mm_xyz == (-5.0, 2.5, 6.0)
    assert image.description == SeriesDescription(
        slice_thickness_mm=4.0, kernel="B30f", tube_voltage_kv=120.0, rescale_stated=True
    )


@pytest.mark.parametrize("syntax", [RLELossless, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_enhanced_ct_in_other_transfer_syntaxes(tmp_path: Path, syntax):
    pixels = random_frames()
    path = write_enhanced(tmp_path / "e.dcm", pixels, [6, 8, 10], [1, 1, 1])
    dataset = pydicom.dcmread(path)
    if syntax is RLELossless:
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path, enforce_file_format=True)
    else:
        little = syntax.is_little_endian
        dataset.PixelData = pixels.astype("<u2" if little else ">u2").tobytes()
        dataset.file_meta.TransferSyntaxUID = syntax
        pydicom.dcmwrite(
            path, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=little, force_encoding=True
        )
    np.testing.assert_array_equal(read_image(tmp_path).array, pixels.astype(int) - 1000)


def test_enhanced_ct_with_a_hole_or_without_places_is_refused(tmp_path: Path):
    path = write_enhanced(tmp_path / "e.dcm", random_frames(4), [6, 8, 10, 14], [1] * 4)
    with pytest.raises(MissingSlicesError, match=r"misses about 1 slice\(s\)"):
        read_image(tmp_path)
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    dataset.save_as(path)
    with pytest.raises(NotAnImageError, match=r"e\.dcm does not say where each of its frames lies"):
        read_image(tmp_path)
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:2]
    dataset.save_as(path)
    with pytest.raises(NotAnImageError, match=r"e\.dcm does not say where each of its frames lies"):
        read_image(tmp_path)


def test_reconstructed_spect_is_a_stack(tmp_path: Path):
    pixels = random_frames()
    detector = item(ImagePositionPatient=["-5", "2.5", "30"], ImageOrientationPatient=AXIAL)
    path = write(
        tmp_path / "s.dcm",
        pixels,
        NUCLEAR,
        "NM",
        ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
        DetectorInformationSequence=[detector],
        SliceVector=[1, 2, 3],
        SpacingBetweenSlices="-4.5",
        SliceThickness="4.5",
        PixelSpacing=["4.8", "4.8"],
    )
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array, pixels[::-1])
    assert not image.planar
    assert image.grid.spacing_mm_zyx == (4.5, 4.8, 4.8)
    assert image.grid.origin_mm_xyz == (-5.0, 2.5, 21.0)
    dataset = pydicom.dcmread(path)
    for kind in ("TOMO", "GATED TOMO", "RECON GATED TOMO"):
        dataset.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
        dataset.save_as(path)
        with pytest.raises(UnsupportedImageError, match="send the reconstructed volume"):
            read_image(tmp_path)


# --- values that 16 bits do not hold --------------------------------------------------------------------------------


def write_pet(folder: Path, pixels: np.ndarray, slopes: list[float]) -> None:
    for z, slope in enumerate(slopes):
        write(
            folder / f"p{z}.dcm",
            pixels[z],
            PET,
            "PT",
            ImagePositionPatient=["0", "0", str(3 * z)],
            ImageOrientationPatient=AXIAL,
            PixelSpacing=["4", "4"],
            RescaleSlope=str(slope),
            RescaleIntercept="0",
            Units="BQML",
        )


def test_pet_with_one_slope_is_exact(tmp_path: Path):
    pixels = random_frames(high=32768, kind="i2")
    write_pet(tmp_path, pixels, [1.25] * 3)
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array, pixels)
    np.testing.assert_array_equal(image.values(), pixels * 1.25)
    assert (image.modality, image.description.units) == ("PT", "BQML")


def test_pet_with_a_slope_per_slice_is_spread_evenly(tmp_path: Path):
    pixels = random_frames(high=32768, kind="i2")
    slopes = np.array([0.5, 1.25, 3.0])
    write_pet(tmp_path, pixels, list(slopes))
    image = read_image(tmp_path)
    expected = pixels * slopes[:, None, None]
    step = expected.max() / 32767
    assert image.description.value_slope == pytest.approx(step, rel=1e-12)
    assert np.abs(image.values() - expected).max() <= step / 2 * (1 + 1e-9)
    assert image.values()[pixels == 0].tolist() == [0.0] * int((pixels == 0).sum())


@pytest.mark.parametrize("low, offset", [(0, 32768), (-3, None)])
def test_wide_values_are_moved_into_16_bits(tmp_path: Path, low, offset):
    pixels = random_frames(1, high=65536, kind="i4")[0]
    pixels[0, :2] = low, 65530
    write(tmp_path / "d.dcm", pixels, DIGITAL_RADIOGRAPH, "DX")
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.values()[0], pixels)
    assert image.description.value_intercept == (offset if offset is not None else low + 32768)


def test_modality_lookup_table_is_applied(tmp_path: Path):
    pixels = np.arange(120, dtype="u1").reshape(10, 12) % 4
    table = item(
        LUTDescriptor=[4, 0, 16], ModalityLUTType="US", LUTData=np.array([7, 100, 2000, 30], "<u2").tobytes()
    )
    write(tmp_path / "d.dcm", pixels, DIGITAL_RADIOGRAPH, "DX", ModalityLUTSequence=[table])
    np.testing.assert_array_equal(read_image(tmp_path).array[0], np.array([7, 100, 2000, 30])[pixels])


def test_inverted_radiograph_is_shown_the_usual_way(tmp_path: Path):
    pixels = random_frames(1)[0]
    write(
        tmp_path / "d.dcm",
        pixels,
        DIGITAL_RADIOGRAPH,
        "DX",
        PhotometricInterpretation="MONOCHROME1",
        ViewPosition="PA",
        ImagerPixelSpacing=["0.14", "0.14"],
    )
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.values()[0], pixels)
    np.testing.assert_array_equal(image.array[0], int(pixels.min()) + int(pixels.max()) - pixels.astype(int))
    assert image.description.views == ("PA",)
    assert image.description.spacing_source is SpacingSource.DETECTOR
    assert image.grid.spacing_mm_zyx == (1.0, 0.14, 0.14)


# --- views ----------------------------------------------------------------------------------------------------------


def view_code(value: str) -> Dataset:
    return item(ViewCodeSequence=[item(CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning="?")])


def test_bone_scan_in_one_file_names_its_views_by_detector(tmp_path: Path):
    pixels = random_frames(2)
    write(
        tmp_path / "b.dcm",
        pixels,
        NUCLEAR,
        "NM",
        ImageType=["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
        DetectorInformationSequence=[view_code("R-10206"), view_code("R-10214")],
        DetectorVector=[2, 1],
    )
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array, pixels)
    assert image.description.views == ("posterior", "anterior")


@pytest.mark.parametrize("series", ["2.25.6", "2.25.7"])
def test_bone_scan_in_two_files_is_one_image_anterior_first(tmp_path: Path, series):
    pixels = random_frames(2)
    for number, (code, uid) in enumerate((("R-10214", "2.25.6"), ("R-10206", series))):
        write(
            tmp_path / f"b{number}.dcm",
            pixels[number],
            NUCLEAR,
            "NM",
            DetectorInformationSequence=[view_code(code)],
            SeriesInstanceUID=uid,
            InstanceNumber=number + 1,
        )
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array, pixels[::-1])
    assert image.description.views == ("anterior", "posterior")
    assert {r.outcome for r in read_folder(tmp_path).reports} == {FileOutcome.USED}


def test_views_without_codes_in_two_series_stay_two_images(tmp_path: Path):
    for number in range(2):
        write(
            tmp_path / f"b{number}.dcm",
            random_frames(1)[0],
            NUCLEAR,
            "NM",
            SeriesInstanceUID=f"2.25.{number + 8}",
        )
    with pytest.raises(SeveralSeriesError, match=r"#1: NM, 1 view\(s\) of 10 x 12"):
        read_image(tmp_path)


def test_views_of_another_spacing_in_one_series_are_refused(tmp_path: Path):
    for number, spacing in enumerate(("1.5", "2")):
        pixels = random_frames(1)[0]
        write(tmp_path / f"b{number}.dcm", pixels, NUCLEAR, "NM", PixelSpacing=[spacing, spacing])
    with pytest.raises(UnsupportedImageError, match="send views that are alike"):
        read_image(tmp_path)


# --- pictures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, kind", [("a.png", "u1"), ("a.png", "u2"), ("a.tif", "u1"), ("a.tiff", "u2")])
def test_pictures_come_back_exactly(tmp_path: Path, name, kind):
    pixels = random_frames(1, high=int(np.iinfo(kind).max) + 1, kind=kind)[0]
    Image.fromarray(pixels).save(tmp_path / name)
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.values()[0], pixels)
    assert (image.modality, image.description.views) == ("OT", ("view 1",))
    assert image.description.spacing_source is SpacingSource.UNKNOWN
    assert ImageVolume(image.array, image.grid).grid.shape_zyx == (1, 10, 12)


def test_grey_pictures_saved_in_colour_are_grey_and_coloured_ones_are_refused(tmp_path: Path):
    pixels = random_frames(1, high=256, kind="u1")[0]
    colours = np.stack([pixels] * 3, axis=-1)
    Image.fromarray(colours).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array[0], pixels)
    colours[3, 4, 0] ^= 1
    Image.fromarray(colours).save(tmp_path / "a.png")
    with pytest.raises(UnsupportedImageError, match=r"a\.png has colours or transparency"):
        read_image(tmp_path / "a.png")


def test_picture_masks_lie_on_their_picture(tmp_path: Path):
    inside = random_frames(1, high=2, kind="u1")[0] == 1
    Image.fromarray(random_frames(1, high=256, kind="u1")[0]).save(tmp_path / "a.png")
    Image.fromarray((inside * 255).astype("u1")).save(tmp_path / "a_mask.png")
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a_mask.png", image=image).array[0], inside)
    Image.fromarray(np.ones((9, 12), "u1")).save(tmp_path / "a_mask.png")
    with pytest.raises(GridMismatchError, match="shape 1 x 9 x 12 instead of 1 x 10 x 12"):
        read_mask(tmp_path / "a_mask.png", image=image)


def test_snapshots_beside_a_scan_are_set_aside(scan: Path):
    Image.new("L", (8, 8)).save(scan / "screen.png")
    report = next(r for r in read_folder(scan).reports if r.path == "screen.png")
    assert (report.outcome, report.sentence) == (FileOutcome.IGNORED, "Ignored: a picture beside scans.")
    assert read_image(scan).modality == "CT"


def test_bad_pictures_are_refused(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(random_frames(1, high=256, kind="u1")[0]).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 60])
    with pytest.raises(TruncatedFileError, match=r"The pixels of a\.png cannot be decoded"):
        read_image(path)
    path.write_bytes(b"not a picture")
    with pytest.raises(NotAnImageError, match=r"a\.png is not the picture that its name says"):
        read_image(path)
    path.write_bytes(whole)
    with pytest.raises(ImageTooLargeError, match=r"a\.png claims 10 x 12 pixels; at most 100 bytes"):
        read_image(path, limits=ReadLimits(max_image_bytes=100))
    pages = [Image.new("L", (8, 8)) for _ in range(2)]
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(UnsupportedImageError, match=r"b\.tif holds several pictures; send one to a file"):
        read_image(tmp_path / "b.tif")
    Image.fromarray(np.ones((4, 4), "f4")).save(tmp_path / "c.tif")
    with pytest.raises(UnsupportedImageError, match=r"c\.tif holds pixels that are not whole grey values"):
        read_image(tmp_path / "c.tif")


# --- pixels that need no decoding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, dirty", [("u2", False), ("u2", True), ("i2", False), ("i2", True)])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_plain_pixels_are_those_that_pydicom_decodes(scan: Path, kind, dirty, syntax):
    """Twelve bits of sixteen, clean, or with set bits above them, which only pydicom's decoder clears."""
    path = sorted(scan.glob("ct-*.dcm"))[0]
    dataset = pydicom.dcmread(path)
    low = -2048 if kind == "i2" else 0
    pixels = np.random.default_rng(5).integers(low, low + 4096, (20, 24)).astype(kind)
    stored = pixels.view("u2") | 0x4000 if dirty else pixels.view("u2")
    dataset.PixelData = stored.tobytes()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, int(kind == "i2")
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        path, dataset, implicit_vr=syntax.is_implicit_VR, little_endian=True, force_encoding=True
    )
    expected = pydicom.dcmread(path).pixel_array.astype(int) - 1024
    np.testing.assert_array_equal(read_image(scan).array[0], expected)
    (series,) = read_folder(scan).series
    assert series.slices[0].plain is not None


def test_description_tells_uneven_thickness_exposure_and_missing_rescale(scan: Path, edit):
    files = sorted(scan.glob("ct-*.dcm"))
    edit(files[0], XRayTubeCurrent=200, ExposureTime=500)
    told = read_image(scan).description
    assert (told.exposure_mas, told.uneven_thickness, told.rescale_stated) == (100.0, False, True)
    edit(files[0], Exposure=99, ExposureInuAs=99500)
    edit(files[1], SliceThickness=2.5, RescaleIntercept=None)
    told = read_image(scan).description
    assert (told.exposure_mas, told.uneven_thickness, told.rescale_stated) == (99.5, True, False)
