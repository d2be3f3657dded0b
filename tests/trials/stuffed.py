"""Files stuffed with what identifies a person, wherever a format has room for words, and a search that finds them."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import SimpleITK
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from equipoise.imaging.dicom_header import quiet_pydicom
from equipoise.imaging.dicom_image import DicomIdentity
from equipoise.imaging.dicom_write import write_image_series, write_structure_set
from equipoise.imaging.segmentation_write import segmentation
from tests.archive.conftest import NAMESPACE, make_mask, make_volume

NAME, BORN, PHONE = "Quetzal^Ximena", "19571203", "030 5550142"
ADDRESS, ACCESSION, NUMBER = "Elmstreet 12", "ACC47110815", "MRN0815471"
PHYSICIAN, CLINIC, UID = "Zweistein^A", "Nordklinikum", "1.2.826.0.1.19571203.5550142"
SENTENCE = (
    f"Ximena Quetzal, born {BORN}, {ADDRESS}, tel. {PHONE}, {ACCESSION}, {NUMBER}, Dr Zweistein, {CLINIC}"
)
WORDS = (
    "quetzal", "ximena", "19571203", "1957-12-03", "5550142", "elmstreet", "acc47110815", "mrn0815471", "zweistein",
    "nordklinikum",
)  # fmt: skip
"""What is looked for, in lower case."""

FOLDER = f"Quetzal_Ximena_{BORN}"


# --- the search ---------------------------------------------------------------------------------------------------


def words_in(content: bytes) -> set[str]:
    """Return the words that stand in some bytes: plain, in UTF-16, in base64 at any offset, in zlib streams."""
    found: set[str] = set()
    for plain in (content, *_inflated(content)):
        folded = plain.lower()
        for word in WORDS:
            if any(form in folded for form in _FORMS[word]) or any(form in plain for form in _BASE64[word]):
                found.add(word)
    return found


def _inflated(content: bytes) -> Iterator[bytes]:
    """Yield what the gzip and zlib streams inside hold."""
    for start in (b"\x1f\x8b\x08", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        place = content.find(start)
        while place >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content[place:])
            place = content.find(start, place + 1)


def _base64_forms(word: str) -> set[bytes]:
    """Return how a word looks in base64, whichever of the three offsets it falls on; as written, upper and lower."""
    forms = set()
    for spelled in {word, word.upper(), word.capitalize()}:
        for offset in range(3):
            encoded = b64encode(b"\0" * offset + spelled.encode())
            first = (0, 2, 3)[offset]
            last = len(encoded) - (4 if (offset + len(spelled)) % 3 else 0)
            forms.add(encoded[first:last])
    return forms


_FORMS = {word: (word.encode(), word.encode("utf-16-le"), word.encode("utf-16-be")) for word in WORDS}
_BASE64 = {word: _base64_forms(word) for word in WORDS}


# --- the files ----------------------------------------------------------------------------------------------------


def stuff(dataset: Dataset) -> None:
    """Put what identifies into standard, private, nested and free-text attributes, and over the image."""
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = NAME, NUMBER, BORN
    dataset.OtherPatientIDs, dataset.PatientAddress, dataset.PatientTelephoneNumbers = NUMBER, ADDRESS, PHONE
    dataset.PatientBirthName = dataset.PatientMotherBirthName = NAME
    dataset.AccessionNumber, dataset.StudyID = ACCESSION, ACCESSION
    dataset.ReferringPhysicianName = dataset.OperatorsName = dataset.PerformingPhysicianName = PHYSICIAN
    dataset.InstitutionName, dataset.InstitutionAddress, dataset.StationName = CLINIC, ADDRESS, "QUETZAL-CT"
    dataset.StudyDescription = dataset.SeriesDescription = dataset.ProtocolName = SENTENCE[:64]
    dataset.ImageComments = dataset.PatientComments = dataset.AdditionalPatientHistory = SENTENCE
    dataset.CommentsOnTheScheduledProcedureStep = SENTENCE
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = BORN
    dataset.AcquisitionDateTime = f"{BORN}101500"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Nordklinikum workshop", f"of {PHYSICIAN}"
    dataset.ConvolutionKernel, dataset.DeviceSerialNumber = "Quetzal", NUMBER
    dataset.PatientSex, dataset.PatientAge = "F", "057Y"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    request = Dataset()
    request.RequestedProcedureDescription, request.RequestedProcedureID = SENTENCE[:64], ACCESSION
    request.ReasonForTheRequestedProcedure = SENTENCE[:64]
    inner = Dataset()
    inner.PersonName, inner.TextValue = NAME, SENTENCE
    inner.CodeValue, inner.CodingSchemeDesignator, inner.CodeMeaning = "QUETZAL", "99NORD", SENTENCE[:64]
    request.PersonIdentificationCodeSequence = [inner]
    dataset.RequestAttributesSequence = [request]
    block = dataset.private_block(0x0029, CLINIC, create=True)
    block.add_new(1, "LT", SENTENCE)
    block.add_new(2, "UN", SENTENCE.encode("utf-16-le"))
    block.add_new(3, "SQ", [inner])
    dataset.add_new((0x6000, 0x0022), "LO", SENTENCE[:64])
    dataset.add_new((0x6000, 0x4000), "LT", SENTENCE)
    dataset.add_new((0xFFFC, 0xFFFC), "OB", SENTENCE.encode() + b"\0" * (len(SENTENCE) % 2))


def stuff_file(path: Path) -> None:
    """Stuff a DICOM file, its file header and preamble too; UIDs with a birth date and a telephone number in them."""
    with quiet_pydicom():
        dataset = pydicom.dcmread(path)
        stuff(dataset)
        dataset.StudyInstanceUID = UID
        dataset.preamble = NAME.encode().ljust(128)
        dataset.file_meta.SourceApplicationEntityTitle = "QUETZAL_AE"
        dataset.file_meta.PrivateInformationCreatorUID = pydicom.uid.UID(UID)
        dataset.file_meta.PrivateInformation = SENTENCE.encode() + b"\0" * (len(SENTENCE) % 2)
        dataset.save_as(path)


def write_scan(folder: Path) -> None:
    """Write a CT with a structure set and a segmentation."""
    mask, identity = make_mask(), DicomIdentity.named(NAMESPACE, "p")
    files = write_image_series(make_volume(11), folder, identity=identity)
    drawn = {"GTV-1": mask, "Quetzal boost": mask}
    write_structure_set(drawn, folder / "rs.dcm", patient_code="p", namespace=NAMESPACE)
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    segmentation({"Quetzal": mask}, slices=slices, identity=identity).save_as(folder / "seg.dcm")
    with quiet_pydicom():
        structures = pydicom.dcmread(folder / "rs.dcm")
        structures.StructureSetLabel = structures.StructureSetDescription = SENTENCE[:64]
        structures.StructureSetROISequence[1].ROIDescription = SENTENCE
        structures.RTROIObservationsSequence[1].ROIObservationLabel = "Quetzal"
        structures.RTROIObservationsSequence[1].ROIInterpreter = PHYSICIAN
        structures.save_as(folder / "rs.dcm")
        segments = pydicom.dcmread(folder / "seg.dcm")
        segments.SegmentSequence[0].SegmentDescription = SENTENCE
        segments.SegmentSequence[0].TrackingID = SENTENCE
        segments.save_as(folder / "seg.dcm")
    for path in folder.glob("*.dcm"):
        stuff_file(path)
        path.rename(path.with_name(f"Quetzal_{path.name}"))


def write_bone_scan(folder: Path) -> None:
    """Write a planar image."""
    folder.mkdir(parents=True)
    found = pydicom.data.get_testdata_file("JPGExtended.dcm")
    path = folder / f"{ACCESSION}.dcm"
    path.write_bytes(Path(str(found)).read_bytes())
    stuff_file(path)
    with quiet_pydicom():
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.SeriesInstanceUID = f"{NUMBER}-2", generate_uid()
        dataset.save_as(path)


def write_volume_files(folder: Path) -> None:
    """Write one patient as NRRD, one as NIfTI, one as MetaImage, with words in every free field of the headers."""
    for number, kind in enumerate(("nrrd", "nii", "mha")):
        own = folder / f"{FOLDER}-{kind}"
        own.mkdir(parents=True)
        voxels = make_volume(20 + number).array
        _WRITERS[kind](own / f"Quetzal.{kind}", voxels)


def _write_nrrd(path: Path, voxels: np.ndarray) -> None:
    z, y, x = voxels.shape
    head = (
        f"NRRD0005\n# {SENTENCE}\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {x} {y} {z}\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2)\nkinds: domain domain domain\nendian: little\nencoding: gzip\n"
        f'space origin: (0,0,0)\ncontent: {SENTENCE}\nlabels: "Quetzal" "x" "y"\nPatientName:={NAME}\n\n'
    )
    path.write_bytes(head.encode() + gzip.compress(voxels.astype("<i2").tobytes()))


_NIFTI_FIELDS = {14: (18, NAME), 148: (80, SENTENCE), 228: (24, ACCESSION), 328: (16, "Quetzal")}
"""Where db_name, descrip, aux_file and intent_name stand in a header, and how long they are."""


def _write_nifti(path: Path, voxels: np.ndarray) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path))
    content = bytearray(path.read_bytes())
    for offset, (length, words) in _NIFTI_FIELDS.items():
        content[offset : offset + length] = words.encode()[: length - 1].ljust(length, b"\0")
    path.write_bytes(bytes(content))


def _write_meta(path: Path, voxels: np.ndarray) -> None:
    z, y, x = voxels.shape
    head = (
        f"ObjectType = Image\nNDims = 3\nComment = {SENTENCE}\nName = Quetzal\nPatientName = {NAME}\n"
        f"BinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = {x} {y} {z}\nElementSpacing = 1 1 2\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(head.encode() + voxels.astype("<i2").tobytes())


_WRITERS = {"nrrd": _write_nrrd, "nii": _write_nifti, "mha": _write_meta}


def write_failures(folder: Path) -> None:
    """Write files that are refused or set aside: their sentences name them."""
    own = folder / f"{FOLDER}-broken"
    own.mkdir(parents=True)
    (own / "Quetzal.nrrd").write_bytes(b"NRRD0005\n# " + SENTENCE.encode())
    (own / "Quetzal.dcm").write_bytes(b"\0" * 128 + b"DICM" + SENTENCE.encode())
    (own / "letter to Quetzal.txt").write_text(SENTENCE)
    (own / "._Quetzal").write_text(SENTENCE)


def write_picture(folder: Path) -> None:
    """Write a picture with a comment."""
    own = folder / f"{FOLDER}-picture"
    own.mkdir(parents=True)
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", SENTENCE)
    told.add_itxt("Author", NAME)
    grey = np.random.default_rng(5).integers(0, 255, (40, 30)).astype(np.uint8)
    Image.fromarray(grey).save(own / "Quetzal.png", pnginfo=told)


def packed_zip(folder: Path, target: Path) -> Path:
    """Pack a folder, with a comment on the archive and on every member."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as sink:
        sink.comment = SENTENCE.encode()
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            member = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            member.comment = SENTENCE.encode()
            member.extra = struct.pack("<HH", 0x6375, len(NAME)) + NAME.encode()
            sink.writestr(member, path.read_bytes())
    return target


def packed_tar(folder: Path, target: Path) -> Path:
    """Pack a folder, with names of owners and comments."""
    with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": SENTENCE}) as sink:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            content = path.read_bytes()
            member.size, member.uname, member.gname = len(content), "quetzal", "ximena"
            member.pax_headers = {"comment": SENTENCE}
            sink.addfile(member, io.BytesIO(content))
    return target
