"""Packs: every frame exact, every byte accounted for."""

import gzip
import struct
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from equipoise.imaging.pack import PackReader, compress_frame, read_index, write_pack

SHAPE, SPACING = (3, 4, 5), (5.0, 0.8, 0.75)


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(5).integers(-32768, 32768, SHAPE).astype(np.int16)


def packed(frames: np.ndarray) -> bytes:
    sink = BytesIO()
    write_pack(sink, frames, shape_zyx=SHAPE, spacing_mm_zyx=SPACING)
    return sink.getvalue()


def test_header_is_laid_out_as_documented(frames):
    content = packed(frames)
    assert content[:8] == b"EQPK1\x01\x01\x00"
    assert struct.unpack("<3II3d", content[8:48]) == (3, 4, 5, 0, 5.0, 0.8, 0.75)
    offset, length, _, digest = struct.unpack("<QII32s", content[48:96])
    assert offset == 48 + 3 * 48
    stored = content[offset : offset + length]
    assert sha256(stored).digest() == digest
    assert gzip.decompress(stored) == frames[0].astype("<i2").tobytes()


def test_frames_come_back_one_by_one_and_all_at_once(frames, tmp_path: Path):
    path = tmp_path / "pack"
    path.write_bytes(packed(frames))
    with PackReader(path) as reader:
        np.testing.assert_array_equal(reader.frame(1), frames[1])
        np.testing.assert_array_equal(reader.array(), frames)
        assert reader.index.size_bytes == path.stat().st_size
        assert list(reader.damaged_frames()) == []


def test_equal_frames_give_equal_bytes_and_no_time(frames):
    assert packed(frames) == packed(frames.copy())
    assert compress_frame(frames[0])[4:8] == b"\0\0\0\0"


def test_a_damaged_frame_is_named(frames, tmp_path: Path):
    content = bytearray(packed(frames))
    content[-1] ^= 1
    path = tmp_path / "pack"
    path.write_bytes(content)
    with PackReader(path) as reader:
        assert list(reader.damaged_frames()) == [2]


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda c: b"NRRD0" + c[5:], "magic or header is missing"),
        (lambda c: c[:30], "magic or header is missing"),
        (lambda c: c[:100], "ends inside its table of frames"),
        (lambda c: c[:5] + b"\x02" + c[6:], "version 2 with pixel type 1 is unknown"),
        (lambda c: c[:8] + b"\xff\xff\xff\xff" + c[12:], "claims 4294967295 frames"),
    ],
)
def test_files_that_are_no_pack_are_refused(frames, damage, words):
    with pytest.raises(ValueError, match=words):
        read_index(BytesIO(damage(packed(frames))))


def test_wrong_frames_are_refused(frames):
    with pytest.raises(ValueError, match="announced with 3 frames and got 2"):
        write_pack(BytesIO(), frames[:2], shape_zyx=SHAPE, spacing_mm_zyx=SPACING)
    with pytest.raises(ValueError, match=r"Frame 0 is int32 \(4, 5\), expected int16 \(4, 5\)"):
        write_pack(BytesIO(), frames.astype(np.int32), shape_zyx=SHAPE, spacing_mm_zyx=SPACING)
