"""A backup under a key: read at any place, and refused in a sentence where key or bytes are not the right ones."""

import io
import re
import zipfile
from pathlib import Path

import pytest

from equipoise.config.backup import encryption
from equipoise.config.backup.encryption import DecryptingReader, EncryptingWriter, is_encrypted
from equipoise.config.backup.manifest import BackupRefusedError

KEY = "a key of a test, long enough for one"
CHUNK = 64


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(encryption, "CHUNK_BYTES", CHUNK)
    monkeypatch.setattr(encryption, "_SCRYPT", {"n": 2, "r": 8, "p": 1})


def sealed(clear, step=7):
    sink = io.BytesIO()
    writer = EncryptingWriter(sink, KEY)
    for start in range(0, len(clear), step):
        writer.write(clear[start : start + step])
    writer.finish()
    return sink.getvalue()


def opened(content, key=KEY):
    source = io.BytesIO(content)
    assert is_encrypted(source)
    return DecryptingReader(source, key, path=Path("site.backup"))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 5 * CHUNK + 3])
def test_what_was_written_is_read_whole_and_at_any_place(size):
    clear = bytes(number % 251 for number in range(size))
    content = sealed(clear, step=1 + size // 3)
    assert size < 16 or clear[:16] not in content
    reader = opened(content)
    assert reader.read() == clear
    for place in range(0, size, 13):
        reader.seek(place - size, io.SEEK_END)
        assert reader.read(20) == clear[place : min(place + 20, place - place % CHUNK + CHUNK)]


def test_same_content_is_never_the_same_file():
    assert sealed(b"x" * 100)[-100:] != sealed(b"x" * 100)[-100:]


def test_zip_file_goes_through_and_back():
    sink = io.BytesIO()
    writer = EncryptingWriter(sink, KEY)
    with zipfile.ZipFile(writer, "w") as made:
        made.writestr("one.txt", b"1" * 500)
        with made.open(zipfile.ZipInfo("two.txt"), "w", force_zip64=True) as member:
            member.write(b"2" * 1000)
    writer.finish()
    with zipfile.ZipFile(io.BufferedReader(opened(sink.getvalue()))) as found:
        assert (found.read("two.txt"), found.read("one.txt")) == (b"2" * 1000, b"1" * 500)


def test_wrong_key_and_no_key_are_told_from_damage():
    content = sealed(b"x" * 300)
    with pytest.raises(
        BackupRefusedError, match="was encrypted under another key than the one in EQUIPOISE_BACKUP"
    ):
        opened(content, KEY + "!")
    with pytest.raises(BackupRefusedError, match=re.escape("is encrypted: give the key")):
        opened(content, None)


HEADER = encryption._HEADER_BYTES
SEALED_CHUNK = CHUNK + 16


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content[:-1],
        lambda content: content[: HEADER + 2 * SEALED_CHUNK],
        lambda content: content[:HEADER] + content[HEADER + SEALED_CHUNK :],
        lambda content: content + content[HEADER : HEADER + SEALED_CHUNK],
        lambda content: content[: HEADER + 5] + bytes([content[HEADER + 5] ^ 1]) + content[HEADER + 6 :],
        lambda content: (
            content[:HEADER]
            + content[HEADER + SEALED_CHUNK : HEADER + 2 * SEALED_CHUNK]
            + content[HEADER : HEADER + SEALED_CHUNK]
            + content[HEADER + 2 * SEALED_CHUNK :]
        ),
    ],
    ids=["a byte cut", "chunks cut", "first chunk gone", "chunk added", "a bit changed", "chunks swapped"],
)
def test_altered_file_is_refused(harm):
    content = sealed(bytes(number % 251 for number in range(5 * CHUNK)))
    with pytest.raises(BackupRefusedError, match="is not a whole backup: it was altered or cut off"):
        opened(harm(content)).read()


def test_file_that_ends_in_its_header_is_refused():
    with pytest.raises(BackupRefusedError, match="is not a whole backup: it is cut off"):
        opened(sealed(b"x")[: encryption._HEADER_BYTES])
