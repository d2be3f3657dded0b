"""A backup under a key: a file in chunks, each encrypted and authenticated, written in order and read at any place.

The file begins with a line that names the format, 32 random bytes, and a tag by which a wrong key is told from damage.
What follows are chunks of a mebibyte, the last one shorter or as long, each under AES-256-GCM. A chunk's nonce is
its number and whether it is the last one, so that none is moved, left out or cut off unnoticed (the STREAM construction
of Hoang, Reyhanitabar, Rogaway and Vizar 2015, as the tool age has it). The keys of a file come from the site's key and
the file's random bytes by scrypt, so that no nonce comes twice under one key.
"""

import hmac
import io
import os
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from equipoise.config.backup.manifest import BackupRefusedError

MAGIC = b"equipoise/backup-encrypted/1\n"
CHUNK_BYTES = 1 << 20
_SALT_BYTES, _TAG_BYTES, _CHECK_BYTES, _KEY_BYTES = 32, 16, 32, 32
_HEADER_BYTES = len(MAGIC) + _SALT_BYTES + _CHECK_BYTES
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}
"""32 MiB of memory and a tenth of a second: a key that people made up is not guessed at once."""
VARIABLE = "EQUIPOISE_BACKUP_KEY"


def is_encrypted(source: BinaryIO) -> bool:
    """Say whether a file is such a backup; it is read from its beginning again afterwards."""
    begins = source.read(len(MAGIC))
    source.seek(0)
    return begins == MAGIC


def _keys_of(key: str, salt: bytes) -> tuple[AESGCM, bytes]:
    """Return the cipher of a file, and the tag that its header carries."""
    made = Scrypt(salt=salt, length=2 * _KEY_BYTES, **_SCRYPT).derive(key.encode())
    return AESGCM(made[:_KEY_BYTES]), hmac.new(made[_KEY_BYTES:], MAGIC + salt, "sha256").digest()


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class EncryptingWriter(io.RawIOBase):
    """Encrypts what is written, in order; :meth:`finish`, which must come, writes the last chunk."""

    def __init__(self, sink: BinaryIO, key: str) -> None:
        salt = os.urandom(_SALT_BYTES)
        self._cipher, check = _keys_of(key, salt)
        self._sink, self._number, self._held = sink, 0, bytearray()
        sink.write(MAGIC + salt + check)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override] # any buffer will do
        """Take bytes; a chunk is written once it is known not to be the last."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), CHUNK_BYTES):
            self._held += view[start : start + CHUNK_BYTES]
            while len(self._held) > CHUNK_BYTES:
                self._put(bytes(self._held[:CHUNK_BYTES]), last=False)
                del self._held[:CHUNK_BYTES]
        return len(view)

    def finish(self) -> None:
        """Write the last chunk: a file without it is known to be cut off."""
        self._put(bytes(self._held), last=True)
        self._held.clear()

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._sink.write(self._cipher.encrypt(_nonce(self._number, last=last), chunk, None))
        self._number += 1


class DecryptingReader(io.RawIOBase):
    """Reads an encrypted backup at any place; one chunk is held.

    Raises
    ------
    BackupRefusedError
        If the key is none or another one, or, upon reading, a chunk is not as it was written.
    """

    def __init__(self, source: BinaryIO, key: str | None, *, path: Path) -> None:
        header = source.read(_HEADER_BYTES)
        salt, check = header[len(MAGIC) : len(MAGIC) + _SALT_BYTES], header[len(MAGIC) + _SALT_BYTES :]
        body = source.seek(0, os.SEEK_END) - _HEADER_BYTES
        self._chunks = -(-body // (CHUNK_BYTES + _TAG_BYTES))
        self._size = body - self._chunks * _TAG_BYTES
        if len(check) != _CHECK_BYTES or self._size < 0 or self._chunks < 1:
            raise BackupRefusedError(f"{path} is not a whole backup: it is cut off.")
        if not key:
            raise BackupRefusedError(
                f"{path} is encrypted: give the key it was made with as {VARIABLE} or in the file {VARIABLE}_FILE."
            )
        self._cipher, right = _keys_of(key, salt)
        if not hmac.compare_digest(check, right):
            raise BackupRefusedError(f"{path} was encrypted under another key than the one in {VARIABLE}.")
        self._source, self._path = source, path
        self._place, self._number, self._chunk = 0, -1, b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override] # any buffer will do
        """Read what is left of the chunk at the place, as far as the buffer goes."""
        if self._place >= self._size:
            return 0
        number, within = divmod(self._place, CHUNK_BYTES)
        part = self._at(number)[within : within + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _at(self, number: int) -> bytes:
        if number != self._number:
            self._source.seek(_HEADER_BYTES + number * (CHUNK_BYTES + _TAG_BYTES))
            sealed = self._source.read(CHUNK_BYTES + _TAG_BYTES)
            try:
                nonce = _nonce(number, last=number == self._chunks - 1)
                self._chunk = self._cipher.decrypt(nonce, sealed, None)
            except (InvalidTag, ValueError):
                raise BackupRefusedError(
                    f"{self._path} is not a whole backup: it was altered or cut off."
                ) from None
            self._number = number
        return self._chunk
