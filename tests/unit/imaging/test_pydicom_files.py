"""Every file that pydicom ships: read with pydicom's own pixel values, set aside, or refused with the right code.

The table is the claim; a file that a newer pydicom adds fails until somebody says what becomes of it.
"""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.pixels.processing import apply_modality_lut

from equipoise.common.errors import ErrorCode
from equipoise.imaging.errors import IngestError, NotAnImageError, TruncatedFileError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.reading import FileOutcome, read_folder
from equipoise.imaging.segmentation_object import segment_mask
from equipoise.imaging.series import load_series

ROOT = Path(pydicom.data.__file__).parent / "test_files"
INDEX, LOCALISER = "an index of other files", "a localiser, not a slice"
NO_IMAGE, OTHER = "not an image", "not an image format that is read"
COLOUR = ErrorCode.INGEST_UNSUPPORTED
SHORT, NO_DICOM = ErrorCode.INGEST_TRUNCATED, ErrorCode.INGEST_NOT_AN_IMAGE


def not_read(modality: str) -> str:
    return f"DICOM objects of modality {modality} are not read"


READ = {
    **dict.fromkeys(("693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm"), "CT"),
    **dict.fromkeys(("JPEG2000.dcm", "JPGExtended.dcm"), "NM"),  # whole-body bone scans
    **dict.fromkeys(("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "image_dfl.dcm"), "OT"),
    **{
        f"MR_small{kind}.dcm": "MR"
        for kind in (
            "",
            "_RLE",
            "_bigendian",
            "_expb",
            "_implicit",
            "_jp2klossless",
            "_jpeg_ls_lossless",
            "_padded",
        )
    },
    "examples_overlay.dcm": "MR",
    **{f"dicomdirtests/77654033/{name}": "CR" for name in ("CR1/6154", "CR2/6247", "CR3/6278")},
    **{f"dicomdirtests/77654033/CT2/{n}": "CT" for n in (17106, 17136, 17166, 17196)},
    **{f"dicomdirtests/98892001/CT5N/{n}": "CT" for n in (2062, 2392, 2693, 3023, 3353)},
    **{f"dicomdirtests/98892003/MR1/{n}": "MR" for n in (15820, 4919, 5641)},
    **{f"dicomdirtests/98892003/MR2/{n}": "MR" for n in (15970, 4950, 4981, 5011, 6273, 6605, 6935)},
    **{f"dicomdirtests/98892003/MR700/{n}": "MR" for n in (4467, 4528, 4558, 4588, 4618, 4648, 4678)},
}
"""Images, and their modality."""

UNDECODABLE = ("JPEG-lossy.dcm", "JPEG2000-embedded-sequence-delimiter.dcm")
"""Headers are in order; the pixels no plugin of pydicom decodes."""

REGIONS = {
    "liver_1frame.dcm": "segmentation",
    "liver_expb_1frame.dcm": "segmentation",
    "rtstruct.dcm": "structure set",
}

IGNORED = {
    **dict.fromkeys(("dicomdirtests/98892001/CT2N/6293", "dicomdirtests/98892001/CT2N/6924"), LOCALISER),
    **dict.fromkeys(("dicomdirtests/DICOMDIR", "dicomdirtests/TINY_ALPHA/DICOMDIR"), NO_IMAGE),
    **{
        f"dicomdirtests/DICOMDIR-{kind}": INDEX
        for kind in ("bigEnd", "empty.dcm", "implicit", "nooffset", "nopatient", "reordered")
    },
    **dict.fromkeys(
        (
            "ExplVR_BigEnd.dcm",
            "examples_jpeg2k.dcm",
            "examples_palette.dcm",
            "examples_rgb_color.dcm",
            "examples_ybr_color.dcm",
        ),
        not_read("US"),
    ),
    **dict.fromkeys(("ExplVR_LitEndNoMeta.dcm", "rtplan.dcm", "rtplan_truncated.dcm"), not_read("RTPLAN")),
    "badVR.dcm": not_read("RTDOSE"),
    **{
        f"rtdose{kind}.dcm": not_read("RTDOSE")
        for kind in ("", "_1frame", *("_expb", "_expb_1frame", "_rle", "_rle_1frame"))
    },
    **dict.fromkeys(("reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "test-SR.dcm"), not_read("SR")),
    "waveform_ecg.dcm": not_read("ECG"),
    **dict.fromkeys(
        (
            "README.txt",
            "crayons.icc",
            "dicomdirtests/README.txt",
            "dicomdirtests/TINY_ALPHA/README",
            "rtplan.dump",
            "rtstruct.dump",
            "test1.json",
            "test_PN.json",
            "zipMR.gz",
        ),
        OTHER,
    ),
}
"""Files that are no image of ours, and the reason."""

REFUSED = {
    "GDCMJ2K_TextGBR.dcm": COLOUR,
    **{f"SC_jpeg_no_color_transform{kind}.dcm": COLOUR for kind in ("", "_2")},
    **{
        f"SC_rgb_dcmtk_+eb+{kind}.dcm": COLOUR for kind in ("cr", "cy+n1", "cy+n2", "cy+np", "cy+s2", "cy+s4")
    },
    **{f"SC_rgb_jls_lossy_{kind}.dcm": COLOUR for kind in ("line", "sample")},
    **{
        f"SC_rgb_jpeg{kind}.dcm": COLOUR
        for kind in ("", "_app14_dcmd", "_dcmd", "_dcmtk", "_gdcm", "_lossy_gdcm")
    },
    **{
        f"SC_rgb_rle{kind}.dcm": COLOUR
        for kind in ("", "_16bit", "_16bit_2frame", "_2frame", "_32bit", "_32bit_2frame")
    },
    **{f"SC_rgb_small_odd{kind}.dcm": COLOUR for kind in ("", "_big_endian", "_jpeg")},
    "SC_rgb_gdcm_KY.dcm": COLOUR,
    "SC_ybr_full_422_uncompressed.dcm": COLOUR,
    "MR_truncated.dcm": SHORT,
    **dict.fromkeys(
        ("UN_sequence.dcm", "empty_charset_LEI.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"), SHORT
    ),
    **dict.fromkeys(("ExplVR_BigEndNoMeta.dcm", "no_meta.dcm"), NO_DICOM),
    **dict.fromkeys(("meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"), NO_DICOM),
}
"""Files that fail, and their code. Those that end where their pixels should begin are called short."""

HEADERS_ONLY = "dicomdirtests/TINY_ALPHA/PT000000/ST000000/SE000000/IM"
"""Fifty CT headers without rows, columns or pixels."""


def shipped() -> list[str]:
    """Return the files in the package: nothing is fetched that is not there."""
    return sorted(
        p.relative_to(ROOT).as_posix()
        for p in map(Path, pydicom.data.get_testdata_files())
        if p.is_file() and p.is_relative_to(ROOT)
    )


def alone(name: str, folder: Path) -> Path:
    shutil.copyfile(ROOT / name, folder / Path(name).name)
    return folder


def pydicoms_values(name: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(ROOT / name, force=True)
        values = apply_modality_lut(dataset.pixel_array, dataset)
    return values.reshape(-1, *values.shape[-2:])


def test_table_names_every_file():
    tables = (READ, dict.fromkeys(UNDECODABLE), REGIONS, IGNORED, REFUSED)
    named = [name for table in tables for name in table]
    assert len(named) == len(set(named))
    files = shipped()
    headers_only = [name for name in files if name.startswith(HEADERS_ONLY)]
    assert len(headers_only) == 50
    assert sorted(named + headers_only) == files


@pytest.mark.parametrize("name", sorted(READ))
def test_images_have_pydicoms_pixel_values(name: str, tmp_path: Path):
    contents = read_folder(alone(name, tmp_path))
    (series,) = contents.series
    assert series.modality == READ[name]
    loaded = load_series(series)
    assert loaded.clipped_voxels == 0
    np.testing.assert_allclose(loaded.volume.values(), pydicoms_values(name), rtol=0, atol=1e-9)
    scale = loaded.volume.description
    if not scale.value_slope < 0:  # inverted images have a scale of their own
        np.testing.assert_array_equal(loaded.volume.array, pydicoms_values(name) - scale.value_intercept)


@pytest.mark.parametrize("name", UNDECODABLE)
def test_pixels_that_no_decoder_knows_are_refused(name: str, tmp_path: Path):
    (series,) = read_folder(alone(name, tmp_path)).series
    with pytest.raises(TruncatedFileError, match="cannot be decoded"):
        load_series(series)


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_regions_are_listed(name: str, tmp_path: Path):
    contents = read_folder(alone(name, tmp_path))
    assert [(r.outcome, r.kind) for r in contents.reports] == [(FileOutcome.USED, REGIONS[name])]


@pytest.mark.parametrize("name", ["liver_1frame.dcm", "liver_expb_1frame.dcm"])
def test_segmentation_with_other_frames_than_it_says_is_refused(name: str, tmp_path: Path):
    """pydicom cut both to their first frame and left the descriptions of three."""
    (structures,) = read_folder(alone(name, tmp_path)).structure_sets
    assert structures.roi_names == ["Liver"]
    grid = Grid((3, 512, 512), (1.0, 1.0, 1.0))
    with pytest.raises(NotAnImageError, match=f"The segment 'Liver' of {name} cannot be read"):
        segment_mask(tmp_path / name, 1, "Liver", grid)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_other_files_are_set_aside_with_the_reason(name: str, tmp_path: Path):
    (report,) = read_folder(alone(name, tmp_path)).reports
    assert (report.outcome, report.sentence) == (FileOutcome.IGNORED, f"Ignored: {IGNORED[name]}.")


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_others_are_refused_with_the_code(name: str, tmp_path: Path):
    contents = read_folder(alone(name, tmp_path))
    (report,) = contents.reports
    assert (report.outcome, report.code) == (FileOutcome.FAILED, REFUSED[name])
    assert report.sentence.startswith(Path(name).name)
    assert (contents.series, contents.structure_sets) == ((), ())


def test_headers_without_pixels_are_refused(tmp_path: Path):
    for name in shipped():
        if name.startswith(HEADERS_ONLY):
            alone(name, tmp_path)
    reports = read_folder(tmp_path).reports
    assert {(r.outcome, r.code) for r in reports} == {(FileOutcome.FAILED, ErrorCode.INGEST_UNSUPPORTED)}
    assert len(reports) == 50
    assert reports[0].sentence == "IM000000 has no rows or columns: it is not an image."


def test_all_files_together_neither_crash_nor_lose_a_line(tmp_path: Path):
    shutil.copytree(ROOT, tmp_path / "all")
    contents = read_folder(tmp_path / "all")
    lines = {report.path for report in contents.reports}
    hidden = {
        p.relative_to(tmp_path / "all").as_posix() for p in (tmp_path / "all").rglob("*") if p.is_file()
    }
    assert lines == hidden
    for series in contents.series:
        try:
            load_series(series)
        except IngestError as error:
            assert error.code is SHORT  # noqa: PT017 - any other fault must fail, as a crash does
