"""PS3.15's Basic profile with a trial's options: what identifies goes, wherever it stands; the image stays."""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import PersonName

from equipoise.imaging.confidentiality import (
    AttributeChange,
    CleaningProfile,
    clean_dataset,
    named_by_profile,
    texts_about_the_patient,
)
from equipoise.imaging.confidentiality_table import Action, MethodCode, profile_actions
from equipoise.imaging.dicom_header import quiet_pydicom
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.mask import Mask
from equipoise.imaging.plain_text import imaging_words, is_structure_name
from tests.unit.imaging.conftest import NAMESPACE

ROOT = Path(pydicom.data.__file__).parent / "test_files"
PERSON = "Quetzal^Ximena"
WORDS = ("quetzal", "ximena", "19571203", "1957-12-03", "5550142", "elmstreet", "acc47110815")
"""Stand in every place of the data sets below; no library knows them."""

FILE_HEADER_GROUP = 0x0002
NOT_WORDS = ("", "PixelData", "SpecificCharacterSet", "SOPClassUID")

TEXTS: dict[str, Any] = {
    "AE": "QUETZAL_AE",
    "AS": "057Y",
    "CS": "QUETZAL",
    "DA": "19571203",
    "DS": "Quetzal",
    "DT": "19571203101500.000000+0100",
    "IS": "Ximena",
    "LO": "Ximena Quetzal, ElmStreet 12",
    "LT": "call Mrs Quetzal, 030/5550142",
    "PN": PersonName(PERSON),
    "SH": "ACC47110815",
    "ST": "Quetzal, ElmStreet 12",
    "TM": "101500",
    "UC": "born 1957-12-03",
    "UI": "1.2.826.19571203.5550142",
    "UN": b"Quetzal^Ximena\0\0",
    "UR": "https://example.org/quetzal/5550142",
    "UT": "Ximena Quetzal born 1957-12-03",
    **dict.fromkeys(("OB", "OD", "OF", "OL", "OV", "OW", "OB or OW"), b"Quetzal^Ximena\0\0"),
}


def profile(**options: Any) -> CleaningProfile:
    return CleaningProfile(map_uid=lambda uid: f"2.25.{abs(hash(uid))}", patient_code="C-007", **options)


def every_attribute(*, depth: int = 0) -> Dataset:
    """Return a data set with every attribute of the standard that can hold words, and private ones, also nested."""
    dataset = Dataset()
    with quiet_pydicom():
        for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
            is_table = keyword.endswith("PaletteColorLookupTableData")
            if tag >> 16 <= FILE_HEADER_GROUP or keyword in NOT_WORDS or is_table:
                continue
            if vr in TEXTS:
                dataset.add(
                    DataElement(tag, "OB" if vr == "OB or OW" else vr, TEXTS[vr], already_converted=True)
                )
            elif vr == "SQ" and depth < 1:
                dataset.add_new(tag, "SQ", [plain_words()])
        block = dataset.private_block(0x0009, "Quetzal Imaging", create=True)
        block.add_new(1, "LO", "Quetzal, Ximena")
        block.add_new(2, "SQ", [plain_words()])
        for group in (0x5000, 0x6000, 0x6002):
            dataset.add_new((group, 0x0022), "LO", "Quetzal")
            dataset.add_new((group, 0x3000), "OB", b"Quetzal^Ximena\0\0")
    return dataset


def plain_words() -> Dataset:
    item = Dataset()
    item.PatientName, item.PatientID, item.PatientBirthDate = PERSON, "ACC47110815", "19571203"
    item.SegmentDescription = item.CommentsOnTheScheduledProcedureStep = "Ximena Quetzal"
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "QUETZAL", "99LOCAL", "Mrs Ximena Quetzal"
    inner = Dataset()
    inner.PersonName, inner.TextValue = PERSON, "tel. 5550142"
    item.ReferencedImageSequence = [inner]
    return item


def as_file(dataset: Dataset) -> FileDataset:
    source = pydicom.dcmread(ROOT / "CT_small.dcm")
    file = FileDataset("", dataset, file_meta=source.file_meta, preamble=b"Quetzal^Ximena".ljust(128))
    file.file_meta.SourceApplicationEntityTitle = "QUETZAL_AE"
    file.file_meta.PrivateInformationCreatorUID = UID("1.2.3")
    file.file_meta.PrivateInformation = b"Quetzal "
    file.SOPClassUID, file.SOPInstanceUID = CTImageStorage, UID("1.2.826.19571203.5550142")
    return file


def written(dataset: FileDataset) -> bytes:
    sink = BytesIO()
    dataset.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


def words_in(content: bytes) -> list[str]:
    folded = content.lower()
    return [
        word
        for word in WORDS
        if word.encode() in folded
        or word.encode("utf-16-le") in folded
        or b64encode(word.encode())[:-4].lower() in folded
    ]


def elements(dataset: Dataset) -> Iterator[DataElement]:
    yield from dataset.iterall()


@pytest.fixture
def scan(volume, tmp_path) -> FileDataset:
    dataset = pydicom.dcmread(
        write_ct_series(volume, tmp_path / "scan", patient_code="P", namespace=NAMESPACE)[0]
    )
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = PERSON, "Q-1957", "19571203"
    dataset.StudyDate, dataset.StudyTime, dataset.ContentDate = "20140309", "101500", "20140310"
    dataset.PatientSex, dataset.PatientAge = "F", "057Y"
    dataset.PatientSize, dataset.PatientWeight = "1.62", "58.5"
    dataset.Manufacturer, dataset.DeviceSerialNumber, dataset.StationName = "SIEMENS", "SN 4711", "CT-EAST"
    dataset.StudyDescription = "CT Thorax w/o contrast 1.5 mm, Mrs Quetzal ward 5550142"
    return dataset


# --- everything everywhere ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "shift": timedelta(days=1000),
            "clean_descriptors": True,
            "keep_patient_characteristics": True,
            "keep_device": True,
        },
    ],
)
def test_no_attribute_of_the_standard_and_no_private_one_lets_a_word_through(options: dict[str, Any]):
    source = as_file(every_attribute())
    assert len(source) > 2500
    assert words_in(written_unchecked(source)) == list(WORDS)
    cleaned = clean_dataset(source, profile(**options)).dataset
    assert words_in(written(cleaned)) == []
    assert not [e for e in elements(cleaned) if e.tag.is_private or e.tag.group in (0x5000, 0x6000, 0x6002)]


def written_unchecked(dataset: FileDataset) -> bytes:
    with quiet_pydicom():
        return written(dataset)


def test_what_is_told_of_a_cleaning_has_tags_and_no_values():
    source = as_file(every_attribute())
    result = clean_dataset(source, profile())
    assert words_in(repr(result).encode()) == []
    assert AttributeChange("(0010,0010)", "PatientName", "PN", Action.EMPTY) in result.changes
    assert AttributeChange("(0009,1001)", "", "LO", Action.REMOVE) in result.changes
    nested = [change for change in result.changes if change.tag.startswith("(0054,0016).")]
    assert AttributeChange("(0054,0016).(0062,0006)", "SegmentDescription", "ST", Action.REMOVE) not in nested


def test_the_sender_s_data_set_stays_as_it_is(scan):
    before = deepcopy(scan)
    clean_dataset(scan, profile(shift=timedelta(days=400), clean_descriptors=True))
    assert scan == before
    assert scan.file_meta == before.file_meta


def test_a_file_header_holds_nothing_of_the_sender_s(scan):
    scan.file_meta.SourceApplicationEntityTitle = "QUETZAL_AE"
    scan.preamble = b"Quetzal^Ximena".ljust(128)
    cleaned = clean_dataset(scan, profile()).dataset
    assert cleaned.preamble == b"\0" * 128
    assert {e.keyword for e in cleaned.file_meta} == {
        "MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID",
    }  # fmt: skip
    assert cleaned.file_meta.MediaStorageSOPInstanceUID == cleaned.SOPInstanceUID != scan.SOPInstanceUID


# --- the table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        (0x00080050, Action.EMPTY),  # Accession Number: Z
        (0x00100010, Action.EMPTY),  # Patient's Name: Z
        (0x00100020, Action.REPLACE),  # Patient ID: Z/D
        (0x00100030, Action.EMPTY),  # Patient's Birth Date: Z
        (0x00101040, Action.REMOVE),  # Patient's Address: X
        (0x00102154, Action.REMOVE),  # Patient's Telephone Numbers: X
        (0x00080080, Action.REPLACE),  # Institution Name: X/Z/D
        (0x00080081, Action.REMOVE),  # Institution Address: X
        (0x00081030, Action.REMOVE),  # Study Description: X
        (0x00080018, Action.MAP_UID),  # SOP Instance UID: U
        (0x0020000D, Action.MAP_UID),  # Study Instance UID: U
        (0x00081140, Action.CLEAN),  # Referenced Image Sequence: X/Z/U*
        (0x00080022, Action.EMPTY),  # Acquisition Date: X/Z
        (0x0008002A, Action.REPLACE),  # Acquisition DateTime: X/Z/D
        (0x00880200, Action.REMOVE),  # Icon Image Sequence: X
        (0x30060026, Action.EMPTY),  # ROI Name: Z
        (0x04000561, Action.REMOVE),  # Original Attributes Sequence: X
        (0xFFFAFFFA, Action.REMOVE),  # Digital Signatures Sequence: X
    ],
)
def test_the_table_is_the_standard_s(tag: int, action: Action):
    assert profile_actions()[tag] is action


def test_the_table_is_whole():
    assert len(profile_actions()) == 652


# --- what is said of it, and the options --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "codes", "dates"),
    [
        ({}, ["113100"], "REMOVED"),
        ({"clean_descriptors": True}, ["113100", "113105"], "REMOVED"),
        ({"shift": timedelta(days=700)}, ["113100", "113107"], "MODIFIED"),
        (
            {"keep_patient_characteristics": True, "keep_device": True},
            ["113100", "113108", "113109"],
            "REMOVED",
        ),
    ],
)
def test_a_cleaned_file_says_how(scan, options: dict[str, Any], codes: list[str], dates: str):
    cleaned = clean_dataset(scan, profile(**options)).dataset
    assert cleaned.PatientIdentityRemoved == "YES"
    assert [item.CodeValue for item in cleaned.DeidentificationMethodCodeSequence] == codes
    assert {item.CodingSchemeDesignator for item in cleaned.DeidentificationMethodCodeSequence} == {"DCM"}
    assert len(cleaned.DeidentificationMethod) == 1 + len(codes)
    assert cleaned.LongitudinalTemporalInformationModified == dates
    assert (cleaned.PatientName, cleaned.PatientID) == ("C-007", "C-007")


def test_method_codes_mean_what_dicom_says():
    from pydicom.sr.codedict import codes

    known = {code.value: code.meaning for code in codes.cid7050.concepts.values()}
    assert {code.value for code in MethodCode} <= set(known)
    assert known["113107"] == "Retain Longitudinal Temporal Information Modified Dates Option"


def test_without_an_option_nothing_of_person_day_or_device_stays(scan):
    cleaned = clean_dataset(scan, profile()).dataset
    kept = {
        keyword: str(cleaned.get(keyword, ""))
        for keyword in (
            "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "PatientBirthDate", "StudyDate", "StudyTime",
            "Manufacturer", "StudyDescription",
        )
    }  # fmt: skip
    assert set(kept.values()) <= {"", "None"}
    assert (cleaned.ContentDate, cleaned.StationName) == ("20000101", "REMOVED")
    assert "DeviceSerialNumber" not in cleaned or cleaned.DeviceSerialNumber == "REMOVED"


def test_dates_move_together_and_the_birth_date_goes(scan):
    scan.AcquisitionDateTime = "20140309101530.250000+0100"
    item = Dataset()
    item.ScheduledProcedureStepStartDate = "20140301"
    inner = Dataset()
    inner.ContentDate = "20140302"
    item.ReferencedImageSequence = [inner]
    scan.SourceImageSequence = [item]
    cleaned = clean_dataset(scan, profile(shift=timedelta(days=1000))).dataset
    assert (cleaned.StudyDate, cleaned.StudyTime) == ("20110613", "101500")
    assert cleaned.ContentDate == "20110614"
    assert cleaned.AcquisitionDateTime == "20110613101530.250000+0100"
    assert cleaned.SourceImageSequence[0].ScheduledProcedureStepStartDate == "20110605"
    assert cleaned.SourceImageSequence[0].ReferencedImageSequence[0].ContentDate == "20110606"
    assert not cleaned.PatientBirthDate


def test_what_only_looks_like_a_date_does_not_stay(scan):
    with quiet_pydicom():
        scan.StudyDate, scan.ContentDate, scan.AcquisitionDateTime = "Quetzal", "00010301", "20140309 Quetzal"
        scan.StudyTime = "half ten"
    cleaned = clean_dataset(scan, profile(shift=timedelta(days=1000))).dataset
    assert words_in(written(cleaned)) == []
    assert (cleaned.StudyDate, cleaned.ContentDate, cleaned.StudyTime) == ("", "", "")
    assert cleaned.AcquisitionDateTime == "20110613"


def test_characteristics_stay_with_their_option_and_great_age_is_capped(scan):
    cleaned = clean_dataset(scan, profile(keep_patient_characteristics=True)).dataset
    assert (cleaned.PatientSex, cleaned.PatientAge) == ("F", "057Y")
    assert (cleaned.PatientSize, cleaned.PatientWeight) == (1.62, 58.5)
    scan.PatientAge, scan.PatientSex = "097Y", "QUETZAL"
    cleaned = clean_dataset(scan, profile(keep_patient_characteristics=True)).dataset
    assert (cleaned.PatientAge, cleaned.PatientSex) == ("090Y", "")


def test_the_device_stays_with_its_option(scan):
    cleaned = clean_dataset(scan, profile(keep_device=True)).dataset
    assert (cleaned.Manufacturer, cleaned.DeviceSerialNumber, cleaned.StationName) == (
        "SIEMENS", "SN 4711", "CT-EAST",
    )  # fmt: skip


def test_descriptors_are_cleaned_to_words_of_imaging(scan):
    cleaned = clean_dataset(scan, profile(clean_descriptors=True)).dataset
    assert cleaned.StudyDescription == "CT Thorax w/o contrast 1.5 mm"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("CT Thorax w/o contrast 1.5 mm", "CT Thorax w/o contrast 1.5 mm"),
        ("Chest  5.0  B30f", "Chest 5.0 B30f"),
        ("Mrs Doe, born 1950-01-01, tel 030/123456", ""),
        ("GK WHOLE_BODY ANT/POST Smith", "WHOLE BODY POST"),
        ("MRN0012345 head 3mm", "head 3mm"),
        ("", ""),
    ],
)
def test_descriptions_keep_words_of_imaging_alone(text: str, kept: str):
    assert imaging_words(text) == kept


def test_text_that_names_the_patient_does_not_stay_even_where_technical_text_may(scan):
    scan.ConvolutionKernel, scan.ImageType = "Quetzal", ["ORIGINAL", "PRIMARY", "XIMENA"]
    cleaned = clean_dataset(scan, profile()).dataset
    assert "ConvolutionKernel" not in cleaned
    assert "ImageType" not in cleaned
    scan.ConvolutionKernel, scan.ImageType = "B30f", ["ORIGINAL", "PRIMARY", "AXIAL"]
    cleaned = clean_dataset(scan, profile()).dataset
    assert (cleaned.ConvolutionKernel, cleaned.ImageType) == ("B30f", ["ORIGINAL", "PRIMARY", "AXIAL"])


# --- structures and codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "GTV-1",
        "GTV1",
        "PTV_60",
        "Lung_L",
        "LungLeft",
        "Spinal Cord",
        "BODY",
        "CTV n1",
        "lungs-total",
        "Heart",
    ],
)
def test_names_of_structures_may_stay(name: str):
    assert is_structure_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "GTV Smith",
        "Doe^Jane",
        "Heart 19500101",
        "lung 4711",
        "",
        "---",
        "Dr. B",
        "GTV (JD)",
        "x" * 65,
        "Region 1a Doe",
    ],
)
def test_names_with_anything_else_do_not(name: str):
    assert not is_structure_name(name)


def test_regions_keep_plain_names_and_lose_the_others(volume, tmp_path):
    array = np.zeros(volume.grid.shape_zyx, dtype=bool)
    array[1:3, 4:9, 4:9] = True
    masks = {
        name: Mask(array, volume.grid)
        for name in ("GTV-1", "GTV Ximena", "Boost Mrs Quetzal", "house rule 9")
    }
    path = tmp_path / "rs.dcm"
    write_structure_set(masks, path, patient_code=PERSON, namespace=NAMESPACE, label="Quetzal 57")
    source = pydicom.dcmread(path)
    source.StructureSetROISequence[0].ROIDescription = "seen by Mrs Quetzal"
    source.RTROIObservationsSequence[0].ROIInterpreter = PERSON
    source.RTROIObservationsSequence[0].ROIObservationLabel = "Quetzal"
    cleaned = clean_dataset(
        source, profile(keeps_region=lambda n: is_structure_name(n) or n == "house rule 9")
    )
    names = [roi.ROIName for roi in cleaned.dataset.StructureSetROISequence]
    assert names == ["GTV-1", "Region 2", "Region 3", "house rule 9"]
    assert words_in(written(cleaned.dataset)) == []
    assert cleaned.dataset.ROIContourSequence[0].ContourSequence[0].ContourData == (
        source.ROIContourSequence[0].ContourSequence[0].ContourData
    )


def test_references_still_meet_after_cleaning(volume, tmp_path):
    slices = write_ct_series(volume, tmp_path, patient_code="P", namespace=NAMESPACE)
    array = np.zeros(volume.grid.shape_zyx, dtype=bool)
    array[0, 4:9, 4:9] = True
    write_structure_set(
        {"GTV": Mask(array, volume.grid)}, tmp_path / "rs.dcm", patient_code="P", namespace=NAMESPACE
    )
    image = clean_dataset(pydicom.dcmread(slices[0]), profile()).dataset
    structures = clean_dataset(pydicom.dcmread(tmp_path / "rs.dcm"), profile()).dataset
    contour = structures.ROIContourSequence[0].ContourSequence[0]
    assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert contour.ContourImageSequence[0].ReferencedSOPClassUID == CTImageStorage
    frame = structures.ReferencedFrameOfReferenceSequence[0]
    assert frame.FrameOfReferenceUID == image.FrameOfReferenceUID
    series = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == image.SeriesInstanceUID


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def test_codes_say_what_their_scheme_says_and_private_ones_go(scan):
    scan.AnatomicRegionSequence = [
        code("51185008", "SCT", "Chest of Mrs Quetzal"),
        code("999000123456", "SCT", "Ximena"),
        code("QUETZAL", "99HOSPITAL", "Ximena"),
    ]
    cleaned = clean_dataset(scan, profile()).dataset
    found = [(c.CodeValue, c.CodingSchemeDesignator, c.CodeMeaning) for c in cleaned.AnatomicRegionSequence]
    assert found == [
        ("51185008", "SCT", "Thoracic structure (body structure)"),
        ("999000123456", "SCT", "999000123456"),
    ]


# --- pixels -------------------------------------------------------------------------------------------------------

GREY = [
    path
    for path in map(Path, sorted(map(str, ROOT.glob("*.dcm"))))
    if path.name.startswith(("CT_", "MR_small", "JPEG2000.dcm", "JPGExt", "JPEGLS", "693_", "image_dfl", "liver_1"))
]  # fmt: skip


@pytest.mark.parametrize("path", GREY, ids=lambda path: path.name)
def test_pixels_stay_exactly_and_uncompressed(path: Path):
    with quiet_pydicom():
        source = pydicom.dcmread(path)
        cleaned = pydicom.dcmread(BytesIO(written(clean_dataset(source, profile()).dataset)))
        assert cleaned.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        np.testing.assert_array_equal(cleaned.pixel_array, source.pixel_array)


def test_there_is_a_grey_file_of_every_kind():
    with quiet_pydicom():
        syntaxes = {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in GREY}
    assert len(syntaxes) >= 8


def test_words_in_unused_bits_and_behind_the_pixels_go(scan):
    scan.BitsStored, scan.HighBit = 12, 11
    pixels = np.frombuffer(scan.PixelData, "<u2") & 0x0FFF
    scan.PixelData = (pixels | 0xA000).astype("<u2").tobytes() + b"Quetzal^Ximena"
    cleaned = clean_dataset(scan, profile()).dataset
    np.testing.assert_array_equal(np.frombuffer(cleaned.PixelData, "<u2"), pixels)
    scan.PixelRepresentation = 1
    signed = clean_dataset(scan, profile()).dataset
    np.testing.assert_array_equal(
        np.frombuffer(signed.PixelData, "<i2"), ((pixels.astype(np.int32) ^ 0x800) - 0x800).astype("<i2")
    )


def test_a_comment_in_a_compressed_stream_goes():
    source = pydicom.dcmread(ROOT / "JPGExtended.dcm")
    (frame,) = generate_frames(source.PixelData, number_of_frames=1)
    comment = b"Quetzal^Ximena"
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    source.PixelData = encapsulate([frame[:2] + segment + frame[2:]])
    cleaned = clean_dataset(source, profile()).dataset
    assert words_in(written(cleaned)) == []
    with quiet_pydicom():
        np.testing.assert_array_equal(
            cleaned.pixel_array, pydicom.dcmread(ROOT / "JPGExtended.dcm").pixel_array
        )


# --- looked at by others ------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_an_independent_validator_finds_no_fault_that_was_not_there(scan, tmp_path):
    def faults(dataset: FileDataset, name: str) -> set[str]:
        dataset.save_as(tmp_path / name, enforce_file_format=True)
        done = subprocess.run(
            ["dciodvfy", str(tmp_path / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return {line for line in done.stderr.splitlines() if line.startswith("Error")}

    before = faults(scan, "before.dcm")
    for options in (
        {},
        {"shift": timedelta(days=400)},
        {"keep_device": True, "keep_patient_characteristics": True},
    ):
        assert faults(clean_dataset(scan, profile(**options)).dataset, "after.dcm") <= before


# --- the list without cleaning ------------------------------------------------------------------------------------


def test_the_list_names_what_the_profile_names_and_reads_no_value(scan):
    scan.private_block(0x0009, "QUETZAL", create=True).add_new(1, "LO", "x")
    item = Dataset()
    item.PatientName = PERSON
    scan.SourceImageSequence = Sequence([item])
    listed = {change.tag: change for change in named_by_profile(scan, profile())}
    assert listed["(0010,0010)"] == AttributeChange("(0010,0010)", "PatientName", "PN", Action.EMPTY)
    assert listed["(0009,1001)"].action is Action.REMOVE
    assert listed["(0008,2112)"].action is Action.CLEAN
    assert "(0028,0010)" not in listed
    assert words_in(repr(listed).encode()) == []
    assert "(0008,0050)" not in listed  # an accession number that is empty


def test_an_element_without_value_and_of_no_known_kind_says_nothing_about_the_patient():
    dataset = Dataset()
    dataset.PatientName = PERSON
    dataset._dict[Tag("OtherPatientIDs")] = RawDataElement(
        Tag("OtherPatientIDs"), "L\xbf", 0, None, 0, False, True
    )
    assert list(texts_about_the_patient(dataset)) == [PERSON]
