"""Files made to harm, sent through the whole ingest: what goes in, what must hold afterwards, the loop.

``python -m tests.archive.fuzzing --count 20000 --folder /dev/shm/fuzz`` sends numbered inputs into a site of its own
and writes a summary as JSON. Input ``n`` is the same in every run. A worker process takes the inputs; if it dies, the
input is named and another goes on with the next.
"""

import argparse
import gzip
import io
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import traceback
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

SECONDS_ALLOWED = 5.0
"""Of processor time, so that what else the machine does is not counted."""

WAIT_S = 600.0
"""Whoever has not finished after this waits for something that never comes."""

MEMORY_ALLOWED = 2 << 30
LARGEST_SEED_BYTES = 800_000
CHUNK = 500
"""Inputs that one worker process takes."""

Rng = np.random.Generator

EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
TOKENS = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\xe0\x7f\x10\x00OW\x00\x00\xff\xff\xff\xff",
    b"\x28\x00\x08\x00IS\x0a\x002147483647",
    b"\x28\x00\x10\x00US\x02\x00\xff\xff",
    b"SQ\x00\x00\xff\xff\xff\xff",
    b"UN\x00\x00\xff\xff\xff\xff",
    b"1.2.840.10008.1.2.1.99\x00",
    b"1.2.840.10008.1.2.4.90\x00",
    b"1.2.840.10008.1.2.2\x00",
    b"NaN ",
    b"-inf",
    b"1e308",
    b"99999999999999999999",
    b"../../../../etc/passwd",
    b"%s%n\x00\x00",
)
NUMBERS = (b"0", b"-1", b"nan", b"inf", b"1e999", b"2147483648", b"4294967296", b"999999999999", b"", b"0x10")


@dataclass
class Outcome:
    """What became of the inputs so far."""

    inputs: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    stored_patients: int = 0
    slowest_s: float = 0.0
    slowest_input: int = -1
    peak_bytes: int = 0
    faults: list[dict[str, object]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return what became of them as plain values."""
        return {**vars(self), "refused": dict(sorted(self.refused.items()))}

    def add(self, other: dict[str, object]) -> None:
        """Take in what a worker wrote."""
        self.inputs += int(str(other["inputs"]))
        self.refused.update(dict(other["refused"]))  # type: ignore[call-overload] # from JSON
        self.stored_patients += int(str(other["stored_patients"]))
        if float(str(other["slowest_s"])) > self.slowest_s:
            self.slowest_s, self.slowest_input = (
                float(str(other["slowest_s"])),
                int(str(other["slowest_input"])),
            )
        self.peak_bytes = max(self.peak_bytes, int(str(other["peak_bytes"])))
        self.faults += list(other["faults"])  # type: ignore[call-overload] # from JSON


# --- what goes in -------------------------------------------------------------------------------------------------


def write_seeds(folder: Path, patients: Path | None = None) -> list[Path]:
    """Write the sound material, a folder each, that inputs are made of; return the folders, in a fixed order."""
    import pydicom.data

    from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
    from equipoise.imaging.export import write_image_nrrd
    from equipoise.imaging.geometry import Grid
    from equipoise.imaging.mask import Mask
    from equipoise.imaging.volume import ImageVolume

    namespace = uuid.UUID("00000000-0000-4000-8000-0000000000f0")
    grid = Grid((5, 20, 24), (5.0, 0.8, 0.75), (-10.5, 20.25, -300.0))
    array = np.random.default_rng(7).integers(-1000, 1500, grid.shape_zyx).astype(np.int16)
    volume, inside = ImageVolume(array, grid), np.zeros(grid.shape_zyx, dtype=bool)
    inside[1:4, 4:15, 3:18] = True
    scan = folder / "scan"
    write_ct_series(volume, scan, patient_code="P1", namespace=namespace)
    write_structure_set(
        {"GTV-1": Mask(inside, grid)}, scan / "rs.dcm", patient_code="P1", namespace=namespace
    )
    seeds = [scan]
    for suffix in ("nrrd", "nii", "nii.gz", "mha", "mhd"):
        place = folder / f"volume-{suffix}"
        place.mkdir()
        write_image_nrrd(volume, place / f"image.{suffix}")
        write_image_nrrd(
            ImageVolume(inside.astype(np.int16), grid),
            place / f"image_mask.{suffix if suffix != 'mhd' else 'nrrd'}",
        )
        seeds.append(place)
    seeds += [_pictures(folder / "pictures"), _packed(folder / "packed", scan)]
    shipped = Path(pydicom.data.__file__).parent / "test_files"
    for number, path in enumerate(sorted(p for p in shipped.rglob("*") if p.is_file())):
        if path.stat().st_size <= LARGEST_SEED_BYTES and path.suffix not in (".py", ".pyc"):
            place = folder / f"shipped-{number:03d}"
            place.mkdir()
            shutil.copyfile(path, place / path.name)
            seeds.append(place)
    if patients is not None:
        seeds += _real_patients(folder, patients)
    return seeds


def _pictures(folder: Path) -> Path:
    from PIL import Image

    folder.mkdir()
    grey = np.random.default_rng(3).integers(0, 4096, (30, 40)).astype(np.uint16)
    Image.fromarray(grey).save(folder / "a.png")
    Image.fromarray(grey).save(folder / "b.tif")
    Image.fromarray((grey >> 4).astype(np.uint8)).save(folder / "c.tiff", compression="tiff_lzw")
    return folder


def _packed(folder: Path, scan: Path) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "scan.zip", "w", zipfile.ZIP_DEFLATED) as sink:
        for path in sorted(scan.iterdir()):
            sink.write(path, path.name)
    with (
        tarfile.open(folder / "scan.tar", "w") as plain,
        tarfile.open(folder / "scan.tar.gz", "w:gz") as zipped,
        tarfile.open(folder / "scan.tar.xz", "w:xz") as packed,
    ):
        for tar in (plain, zipped, packed):
            for path in sorted(scan.iterdir()):
                tar.add(path, path.name)
    return folder


def _real_patients(folder: Path, patients: Path) -> list[Path]:
    """Take three slices and, where it is small, the structure set of each patient; pixels are cut off some."""
    places = []
    for number, patient in enumerate(sorted(p for p in patients.iterdir() if p.is_dir())):
        place = folder / f"patient-{number}"
        place.mkdir()
        slices = [p for p in sorted(patient.rglob("*.dcm")) if p.stat().st_size <= LARGEST_SEED_BYTES]
        for path in slices[:3]:
            shutil.copyfile(path, place / path.name)
        places.append(place)
    return places


def make_input(number: int, seeds: list[Path], folder: Path) -> str:
    """Write input ``number`` into an empty folder and say what kind it is."""
    rng = np.random.default_rng([20261127, number])
    if rng.random() < 0.03:
        kinds = sorted(HOSTILE)
        kind = kinds[int(rng.integers(len(kinds)))]
        HOSTILE[kind](folder, rng)
        return kind
    source = seeds[int(rng.integers(len(seeds)))]
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    files = sorted(folder.iterdir())
    for path in rng.permutation(np.array(files, dtype=object))[: int(rng.integers(1, 3))]:
        content = bytearray(path.read_bytes())
        for _ in range(int(rng.integers(1, 9))):
            content = MUTATIONS[int(rng.integers(len(MUTATIONS)))](content, rng)
        if rng.random() < 0.1:
            other = seeds[int(rng.integers(len(seeds)))]
            spliced = sorted(other.iterdir())[0].read_bytes()
            cut = int(rng.integers(0, len(content) + 1))
            content = content[:cut] + spliced[int(rng.integers(0, len(spliced) + 1)) :]
        path.write_bytes(content)
    if rng.random() < 0.05:
        _pack_folder(folder, rng)
    return source.name.split("-")[0]


def _place(content: bytearray, rng: Rng) -> int:
    """Return a place, near the beginning more often than not: there the headers are."""
    end = len(content) if rng.random() < 0.3 else min(len(content), 2000)
    return int(rng.integers(0, max(end, 1)))


def _flip(content: bytearray, rng: Rng) -> bytearray:
    if content:
        content[_place(content, rng) % len(content)] = int(rng.integers(256))
    return content


def _number(content: bytearray, rng: Rng) -> bytearray:
    value = EXTREMES[int(rng.integers(len(EXTREMES)))]
    size = (1, 2, 4)[int(rng.integers(3))]
    place = _place(content, rng)
    content[place : place + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return content


def _token(content: bytearray, rng: Rng) -> bytearray:
    token, place = TOKENS[int(rng.integers(len(TOKENS)))], _place(content, rng)
    length = len(token) if rng.random() < 0.7 else 0  # overwrite or insert
    content[place : place + length] = token
    return content


def _cut(content: bytearray, rng: Rng) -> bytearray:
    return content[: int(rng.integers(0, len(content) + 1))]


def _drop(content: bytearray, rng: Rng) -> bytearray:
    place = _place(content, rng)
    del content[place : place + int(rng.integers(1, 64))]
    return content


def _repeat(content: bytearray, rng: Rng) -> bytearray:
    place, length = _place(content, rng), int(rng.integers(1, 200))
    content[place:place] = content[place : place + length] * int(rng.integers(1, 20))
    return content


def _text_number(content: bytearray, rng: Rng) -> bytearray:
    """Put an odd number where a text header has one."""
    head = bytes(content[:4000])
    digits = [n for n, byte in enumerate(head) if 48 <= byte <= 57]
    if digits:
        start = digits[int(rng.integers(len(digits)))]
        end = start
        while end < len(head) and 48 <= head[end] <= 57:
            end += 1
        content[start:end] = NUMBERS[int(rng.integers(len(NUMBERS)))]
    return content


def _attribute(content: bytearray, rng: Rng) -> bytearray:
    """Give an attribute of a DICOM file a value of a kind that it should not have, in its own encoding."""
    import pydicom

    from equipoise.imaging.dicom_header import quiet_pydicom

    keyword, value = ODD_ATTRIBUTES[int(rng.integers(len(ODD_ATTRIBUTES)))]
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(io.BytesIO(bytes(content)), force=True)
            if "SOPClassUID" not in dataset:
                return content
            setattr(dataset, keyword, value)
            sink = io.BytesIO()
            dataset.save_as(sink)
    except Exception:
        return content
    return bytearray(sink.getvalue())


ODD_ATTRIBUTES: tuple[tuple[str, object], ...] = (
    ("Rows", 0),
    ("Rows", 65535),
    ("Columns", 65535),
    ("NumberOfFrames", "2147483647"),
    ("NumberOfFrames", "-5"),
    ("NumberOfFrames", "0"),
    ("BitsAllocated", 1),
    ("BitsAllocated", 32),
    ("BitsAllocated", 0),
    ("BitsStored", 9),
    ("HighBit", 3),
    ("PixelRepresentation", 7),
    ("SamplesPerPixel", 3),
    ("SamplesPerPixel", 0),
    ("PhotometricInterpretation", "MONOCHROME1"),
    ("PhotometricInterpretation", "YBR_FULL"),
    ("PhotometricInterpretation", ""),
    ("RescaleSlope", "1e300"),
    ("RescaleSlope", "-1"),
    ("RescaleSlope", "0"),
    ("RescaleSlope", "0.37"),
    ("RescaleIntercept", "-1e15"),
    ("RescaleIntercept", "40000"),
    ("PixelSpacing", ["0", "0"]),
    ("PixelSpacing", ["1e-300", "1e300"]),
    ("PixelSpacing", ["-1", "1"]),
    ("PixelSpacing", "1"),
    ("SliceThickness", "-3"),
    ("ImagePositionPatient", ["1e308", "1e308", "1e308"]),
    ("ImagePositionPatient", ["0", "0"]),
    ("ImageOrientationPatient", ["0", "0", "0", "0", "0", "0"]),
    ("ImageOrientationPatient", ["0", "1", "0", "0", "0", "-1"]),
    ("ImageOrientationPatient", ["-1", "0", "0", "0", "-1", "0"]),
    ("ImageOrientationPatient", ["0.7071", "0.7071", "0", "-0.7071", "0.7071", "0"]),
    ("Modality", "CT"),
    ("Modality", "PT"),
    ("Modality", "NM"),
    ("Modality", "SEG"),
    ("Modality", "RTSTRUCT"),
    ("Modality", "\\\\..\\x"),
    ("ImageType", ["ORIGINAL", "PRIMARY", "RECON TOMO"]),
    ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2.1"),
    ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
    ("SOPInstanceUID", ""),
    ("SeriesInstanceUID", "x" * 400),
    ("PatientID", "\x00\x00../../x\n\r" * 20),
    ("PatientName", "Ä^Ö" * 500),
    ("PatientAge", "999Y"),
    ("StudyDate", "00000000"),
    ("SpecificCharacterSet", "ISO_IR 999"),
    ("SpecificCharacterSet", ["ISO 2022 IR 87", "ISO 2022 IR 149"]),
    ("ConvolutionKernel", ["B30f"] * 300),
    ("LossyImageCompressionRatio", "1e999"),
)

MUTATIONS: tuple[Callable[[bytearray, Rng], bytearray], ...] = (
    _flip,
    _flip,
    _flip,
    _number,
    _number,
    _token,
    _token,
    _cut,
    _drop,
    _repeat,
    _text_number,
    _text_number,
    _attribute,
    _attribute,
)


def _pack_folder(folder: Path, rng: Rng) -> None:
    """Put an input's files into an archive, perhaps under names that lead elsewhere."""
    names = ("{}", "a/{}", "../{}", "/tmp/{}", "a\\..\\{}", "C:\\{}", "a/./{}", "{}\x00.dcm", "{0} " * 60)
    name = names[int(rng.integers(len(names)))]
    files = sorted(folder.iterdir())
    archive = folder / ("sent.zip" if rng.random() < 0.5 else "sent.tar")
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as sink:
            for path in files:
                sink.writestr(name.format(path.name), path.read_bytes())
    else:
        with tarfile.open(archive, "w") as sink:
            for path in files:
                sink.add(path, name.format(path.name).replace("\x00", ""))
    for path in files:
        path.unlink()


# --- made to harm -------------------------------------------------------------------------------------------------

_EXPLICIT = b"1.2.840.10008.1.2.1\x00"
_CT_CLASS = b"1.2.840.10008.5.1.4.1.1.2\x00"


def _dicom(body: bytes, syntax: bytes = _EXPLICIT) -> bytes:
    meta = b"\x02\x00\x10\x00UI" + struct.pack("<H", len(syntax)) + syntax
    return b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00" + struct.pack("<I", len(meta)) + meta + body


def _element(tag: tuple[int, int], vr: bytes, value: bytes) -> bytes:
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2sHI", *tag, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", *tag, vr, len(value)) + value


def _deep_sequences(folder: Path, rng: Rng) -> None:
    depth = int(rng.integers(500, 30_000))
    opening = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    body = _element((8, 0x16), b"UI", _CT_CLASS) + opening * depth
    (folder / "deep.dcm").write_bytes(_dicom(body))


def _many_items(folder: Path, rng: Rng) -> None:
    count = int(rng.integers(1000, 120_000))
    items = b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * count
    claims = bytes(_element((8, 0x1140), b"SQ", items))
    head = _element((8, 0x16), b"UI", _CT_CLASS) + _element((8, 0x60), b"CS", b"RTSTRUCT")
    structures = _element((0x3006, 0x20), b"SQ", items) + _element((0x3006, 0x39), b"SQ", items)
    (folder / "items.dcm").write_bytes(_dicom(head + claims + structures))


def _billion_items(folder: Path, rng: Rng) -> None:
    head = _element((8, 0x16), b"UI", _CT_CLASS)
    claim = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFF0) + b"\xfe\xff\x00\xe0\x00\x00\x00\x00" * 50
    (folder / "claims.dcm").write_bytes(_dicom(head + claim))


def _deflated_bomb(folder: Path, rng: Rng) -> None:
    packer = zlib.compressobj(1, wbits=-15)
    body = _element((8, 0x16), b"UI", _CT_CLASS)
    zeros = bytes(1 << 20)
    packed = packer.compress(body) + b"".join(
        packer.compress(zeros) for _ in range(int(rng.integers(20, 300)))
    )
    content = _dicom(packed + packer.flush(), b"1.2.840.10008.1.2.1.99")
    (folder / "bomb.dcm").write_bytes(content)


def _zip_bomb(folder: Path, rng: Rng) -> None:
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as sink:
        for number in range(int(rng.integers(1, 3))):
            sink.writestr(f"{number}.dcm", bytes(60 << 20))


def _nested_archives(folder: Path, rng: Rng) -> None:
    content = b"x" * 1000
    for level in range(int(rng.integers(2, 30))):
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr(f"{level}.zip", content)
            bundle.writestr(f"copy-{level}.zip", content)
        content = sink.getvalue()
    (folder / "nested.zip").write_bytes(content)


def _lying_zip(folder: Path, rng: Rng) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("a.dcm", bytes(30 << 20))
    content = bytearray(sink.getvalue())
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 100)  # says that it unpacks to 100 bytes
    (folder / "lies.zip").write_bytes(content)


def _links(folder: Path, rng: Rng) -> None:
    with tarfile.open(folder / "links.tar", "w") as sink:
        for name, kind, target in (
            ("a", tarfile.SYMTYPE, "/etc/passwd"),
            ("b", tarfile.LNKTYPE, "../../secret"),
            ("c", tarfile.CHRTYPE, ""),
            ("d", tarfile.FIFOTYPE, ""),
        ):
            if rng.random() < 0.6:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                sink.addfile(info)
        info = tarfile.TarInfo("a/x.dcm")
        info.size = 3
        sink.addfile(info, io.BytesIO(b"abc"))
    os.symlink("/etc/passwd", folder / "link.dcm")
    os.symlink(folder, folder / "loop")
    os.mkfifo(folder / "pipe.dcm")


def _huge_claims(folder: Path, rng: Rng) -> None:
    """Headers of every format that claim far more than the file holds."""
    side = int(rng.choice([65535, 1 << 20, 1 << 31, (1 << 32) - 1]))
    (folder / "a.nrrd").write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nsizes: %d %d %d\nencoding: gzip\nendian: little\n\n"
        % (side, side, side)
        + gzip.compress(bytes(1000))
    )
    (folder / "b.mha").write_bytes(
        b"ObjectType = Image\nNDims = 3\nDimSize = %d %d %d\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        % (side, side, side)
    )
    nifti = bytearray(352)
    struct.pack_into("<i", nifti, 0, 348)
    struct.pack_into("<8h", nifti, 40, 3, 32767, 32767, 32767, 1, 1, 1, 1)
    struct.pack_into("<2h", nifti, 70, 4, 16)
    nifti[344:348] = b"n+1\0"
    (folder / "c.nii").write_bytes(nifti)
    header = struct.pack(">IIBBBBB", min(side, 0x7FFFFFFF), min(side, 0x7FFFFFFF), 16, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header)) + struct.pack(">I", 4) + b"IDATabcd" + bytes(4)
    (folder / "d.png").write_bytes(png)
    entries = (
        (256, 4, side & 0xFFFFFFFF),
        (257, 4, side & 0xFFFFFFFF),
        (258, 3, 16),
        (273, 4, 8),
        (279, 4, 100),
    )
    tiff = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries))
    tiff += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(4)
    (folder / "e.tif").write_bytes(tiff)


def _picture_bomb(folder: Path, rng: Rng) -> None:
    side = int(rng.integers(2000, 30_000))
    rows = zlib.compressobj(1)
    data = b"".join(rows.compress(bytes(side + 1)) for _ in range(min(side, 3000))) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def _gzip_bomb(folder: Path, rng: Rng) -> None:
    nifti = bytearray(352)
    struct.pack_into("<i", nifti, 0, 348)
    struct.pack_into("<8h", nifti, 40, 3, 20, 20, 5, 1, 1, 1, 1)
    struct.pack_into("<2h", nifti, 70, 4, 16)
    struct.pack_into("<f", nifti, 108, 352.0)
    nifti[344:348] = b"n+1\0"
    (folder / "bomb.nii.gz").write_bytes(gzip.compress(bytes(nifti) + bytes(60 << 20), 1))


def _long_names(folder: Path, rng: Rng) -> None:
    deep = folder
    for _ in range(int(rng.integers(5, 15))):
        deep = deep / ("n" * 200)
    deep.mkdir(parents=True)
    (deep / ("x" * 240 + ".dcm")).write_bytes(_dicom(_element((8, 0x16), b"UI", _CT_CLASS)))
    (folder / "bad\udcff\n.dcm").write_bytes(b"\0" * 200)


HOSTILE: dict[str, Callable[[Path, Rng], None]] = {
    "billion-items": _billion_items,
    "deep-sequences": _deep_sequences,
    "deflated-bomb": _deflated_bomb,
    "gzip-bomb": _gzip_bomb,
    "huge-claims": _huge_claims,
    "links": _links,
    "long-names": _long_names,
    "lying-zip": _lying_zip,
    "many-items": _many_items,
    "nested-archives": _nested_archives,
    "picture-bomb": _picture_bomb,
    "zip-bomb": _zip_bomb,
}


# --- the loop -----------------------------------------------------------------------------------------------------


class TookTooLongError(Exception):
    """An input was not done in time."""


@contextmanager
def _time_limit() -> Iterator[None]:
    """Stop what computes for too long, or waits for ever; a machine that is busy with other things is not counted."""

    def stop(*_: object) -> None:
        raise TookTooLongError

    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, SECONDS_ALLOWED),
        (signal.ITIMER_REAL, signal.SIGALRM, WAIT_S),
    )
    before = [signal.signal(number, stop) for _, number, _ in timers]
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def run_inputs(
    numbers: range, seeds: list[Path], folder: Path, *, started: Callable[[int], object] = lambda number: None
) -> Outcome:
    """Send inputs through the whole ingest, one after another, and look at the archive after each."""
    from equipoise.archive.deidentification import DeidentificationPolicy
    from equipoise.archive.ingest import ingest_folder
    from equipoise.archive.roi_rules import RoiRule
    from equipoise.imaging.errors import IngestError

    outcome, policy = Outcome(), DeidentificationPolicy(patient_secret=bytes(16))
    rules = (RoiRule(source="expert", pattern="GTV-1", required=False),)
    for number in numbers:
        started(number)
        sent = folder / "sent"
        sent.mkdir()
        kind = make_input(number, seeds, sent)
        trial, begin, wall = uuid.uuid4(), time.process_time(), time.monotonic()
        fault = ""
        try:
            with _time_limit():
                run = ingest_folder(
                    trial_id=trial, institute_id=uuid.UUID(int=1), folder=sent, policy=policy, roi_rules=rules
                )
            outcome.stored_patients += len(run.patients)
            outcome.refused.update(problem.code.value for problem in run.problems)
            outcome.refused.update(r.code.value for r in run.reports if r.code is not None)
        except IngestError as error:
            outcome.refused[error.code.value] += 1
        except TookTooLongError:
            fault = "not done in time"
        except Exception:
            fault = traceback.format_exc(limit=-6)
        took = min(time.process_time() - begin, time.monotonic() - wall)
        if took > outcome.slowest_s:
            outcome.slowest_s, outcome.slowest_input = took, number
        if took > SECONDS_ALLOWED:
            fault = f"{fault}\ntook {took:.1f} s".strip()
        left = _left_over(trial)
        if left:
            fault = f"{fault}\nleft over: {left}".strip()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak > MEMORY_ALLOWED >= outcome.peak_bytes:
            fault = f"{fault}\nneeded {peak >> 20} MiB".strip()
        outcome.peak_bytes = max(outcome.peak_bytes, peak)
        if fault:
            outcome.faults.append({"input": number, "kind": kind, "fault": fault})
        outcome.inputs += 1
        _tidy(trial)
        shutil.rmtree(sent, ignore_errors=True)
    return outcome


def _left_over(trial: uuid.UUID) -> list[str]:
    """Name the files without rows, rows without files, and whatever else a trial's ingest should not have left."""
    from equipoise.archive.models import IngestRun, PendingKey, StoredMask, StoredVolume
    from equipoise.archive.storage import default_store, incoming_folder

    keys = {key for key in default_store().keys() if f"/{trial}/" in key}  # noqa: SIM118 - a store is no mapping
    rows = {*StoredVolume.objects.filter(trial_id=trial).values_list("key", flat=True)}
    rows |= {*StoredMask.objects.filter(volume__trial_id=trial).values_list("key", flat=True)}
    for name in ("log_key", "removal_log_key"):
        runs = IngestRun.objects.filter(trial_id=trial).exclude(**{name: ""})
        rows |= {*runs.values_list(name, flat=True)}
    left = [f"file {key}" for key in keys - rows] + [f"row {key}" for key in rows - keys]
    left += [f"pending {key}" for key in PendingKey.objects.values_list("key", flat=True)]
    left += [f"incoming {path.name}" for path in incoming_folder().iterdir()]
    left += [f"run {run.state}" for run in IngestRun.objects.filter(trial_id=trial, state="running")]
    return left


def _tidy(trial: uuid.UUID) -> None:
    from equipoise.archive.models import IngestRun, StoredVolume
    from equipoise.archive.services import volume_delete
    from equipoise.archive.storage import default_store

    for volume in StoredVolume.objects.filter(trial_id=trial):
        volume_delete(volume)
    for run in IngestRun.objects.filter(trial_id=trial):
        for key in filter(None, (run.log_key, run.removal_log_key)):
            default_store().delete(key)
        run.delete()


def _work(options: argparse.Namespace) -> None:
    """Take some inputs and write what became of them."""
    os.environ["EQUIPOISE_DATA_DIR"] = str(options.folder / "var")
    os.environ["EQUIPOISE_LOG_LEVEL"] = "ERROR"
    os.environ["DJANGO_SETTINGS_MODULE"] = "equipoise.config.settings.production"
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()
    seeds = sorted(path for path in (options.folder / "seeds").iterdir())
    scratch = options.folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    marker = options.folder / "at"
    outcome = run_inputs(
        range(options.first, options.first + options.count),
        seeds,
        scratch,
        started=lambda number: marker.write_text(str(number)),
    )
    (options.folder / "worker.json").write_text(json.dumps(outcome.as_json()))


def main() -> None:
    """Send the inputs from worker processes and write the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--patients", type=Path)
    parser.add_argument("--worker", action="store_true")
    options = parser.parse_args()
    if options.worker:
        _work(options)
        return
    shutil.rmtree(options.folder / "seeds", ignore_errors=True)
    (options.folder / "seeds").mkdir(parents=True)
    write_seeds(options.folder / "seeds", options.patients)
    total, number, end = Outcome(), options.first, options.first + options.count
    while number < end:
        count = min(CHUNK, end - number)
        result = options.folder / "worker.json"
        result.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.archive.fuzzing", "--worker", "--folder", str(options.folder)]
        done = subprocess.run([*command, "--first", str(number), "--count", str(count)], check=False)
        if done.returncode == 0:
            total.add(json.loads(result.read_text()))
            number += count
        else:  # the inputs before it are sent again by nobody: they are not counted
            at = int((options.folder / "at").read_text())
            total.faults.append(
                {"input": at, "kind": "", "fault": f"the process ended with {done.returncode}"}
            )
            number = at + 1
        (options.folder / "summary.json").write_text(json.dumps(total.as_json(), indent=1))
        print(f"{number - options.first} of {options.count}: {len(total.faults)} faults", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
