"""The fast way through a header finds what pydicom finds, or leaves the file to it."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from equipoise.imaging.dicom_header import quiet_pydicom, read_header
from equipoise.imaging.dicom_scan import HEAD_BYTES, scan_header

SHIPPED = Path(pydicom.data.__file__).parent / "test_files"
FAST_AT_LEAST = 60


def head_of(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(HEAD_BYTES)


def same(found: Dataset, wanted: Dataset) -> None:
    """Assert that both hold the same, however it was encoded."""
    assert [element.tag for element in found] == [element.tag for element in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert (one.VR, one.VM) == (other.VR, other.VM)
        if one.VR == "SQ":
            for item, other_item in zip(one.value, other.value, strict=True):
                same(item, other_item)
        else:
            assert one.value == other.value or (one.value != one.value and other.value != other.value)


def test_every_file_that_pydicom_ships_is_read_alike_or_left_alone():
    fast = 0
    with quiet_pydicom():
        for path in sorted(p for p in SHIPPED.rglob("*") if p.is_file()):
            scanned = scan_header(path, head_of(path))
            if scanned is None:
                continue
            with path.open("rb") as source:
                wanted = pydicom.dcmread(source, stop_before_pixels=True)
                assert scanned.pixel_offset == source.tell(), path.name
            same(scanned.dataset.file_meta, wanted.file_meta)
            same(scanned.dataset, wanted)
            fast += 1
    assert fast >= FAST_AT_LEAST


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_are_skipped_and_come_back_whole(scan: Path, syntax, undefined):
    path = scan / "ct-0001.dcm"
    dataset = pydicom.dcmread(path)
    inner, outer = Dataset(), Dataset()
    inner.CodeValue = "Ä1"
    outer.PurposeOfReferenceCodeSequence = Sequence([inner, inner])
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ReferencedImageSequence = Sequence([outer])
    for holder, name in ((outer, "PurposeOfReferenceCodeSequence"), (dataset, "ReferencedImageSequence")):
        holder[name].is_undefined_length = undefined
        for item in holder[name].value:
            item.is_undefined_length_sequence_item = undefined
    array = dataset.pixel_array
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    scanned = scan_header(path, head_of(path))
    assert scanned is not None
    found = scanned.dataset.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence
    assert [item.CodeValue for item in found] == ["Ä1", "Ä1"]
    same(scanned.dataset, pydicom.dcmread(path, stop_before_pixels=True))
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, array)


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c[:128] + b"DICX" + c[132:],
        lambda c: c.replace(
            b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"
        ),  # says implicit, is explicit
        lambda c: c.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"),
        lambda c: c.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00ZZ"),
        lambda c: c.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x01\x00CS"),  # out of order
        lambda c: c.replace(b"\x08\x00\x60\x00CS\x02\x00", b"\x08\x00\x60\x00CS\xff\xff"),
        lambda c: c[:700],
        lambda c: b"",
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_pydicom(scan: Path, damage):
    path = scan / "ct-0001.dcm"
    content = damage(path.read_bytes())
    path.write_bytes(content)
    assert scan_header(path, content[:HEAD_BYTES]) is None


def test_values_are_those_that_pydicom_gives(scan: Path):
    path = scan / "ct-0001.dcm"
    dataset = pydicom.dcmread(path)
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientID = " P1 "
    dataset.StudyID = "x\\y"
    dataset.SliceThickness = "5.00e0 "
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.save_as(path)
    fast, slow = read_header(path), read_header(path)
    for keyword in ("ImageType", "PatientID", "StudyID", "Modality", "SOPInstanceUID", "AccessionNumber"):
        value = slow.value(keyword)
        assert fast.text(keyword) == ("" if value is None else str(value).strip())
    for keyword in ("SliceThickness", "Rows", "RescaleSlope", "InstanceNumber", "PixelSpacing", "Modality"):
        value = slow.value(keyword)
        try:
            expected = float(value)
        except (TypeError, ValueError):
            expected = None
        assert fast.number(keyword) == expected
    assert fast.numbers("PixelSpacing", 2) == tuple(map(float, slow.value("PixelSpacing")))
