"""Unpacking zip and tar files that somebody else made: nothing leaves the folder, nothing fills the disk.

Every member is checked before the first byte is written, and sizes are counted again while writing, because
an archive may lie about them.
"""

import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from equipoise.imaging.errors import NotAnImageError, TruncatedFileError, UnsafeArchiveError
from equipoise.imaging.limits import DEFAULT_LIMITS, RATIO_CHECKED_ABOVE_BYTES, ReadLimits

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Names that are taken for archives."""

_COPY_BYTES = 1 << 20
_ZIP_UNIX_LINK = 0o120000
_ZIP_TYPE_MASK = 0o170000
_ZIP_ENCRYPTED = 0x1
_DAMAGED = (
    EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, UnicodeDecodeError,
    OSError, RuntimeError,
)  # fmt: skip
"""What the standard library raises on archives that are damaged, or packed in a way it does not know."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    size: int
    packed: int | None
    """None where members are not packed singly (tar)."""
    kind: str
    """``file``, ``folder`` or what it is instead."""


def is_archive(path: Path) -> bool:
    """Say whether the file's name is that of an archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack(archive: Path, folder: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> list[Path]:
    """Unpack an archive into an existing folder and return its files, in the archive's order.

    Raises
    ------
    UnsafeArchiveError
        If a member has an absolute name or ``..``, is a link or device, appears twice, or the archive has too
        many members, unpacks to too much or at too high a ratio. Nothing is left in the folder then.
    TruncatedFileError, NotAnImageError
        If the archive ends early or is none.
    """
    try:
        if archive.name.lower().endswith(".zip"):
            return _unpack_zip(archive, folder, limits)
        return _unpack_tar(archive, folder, limits)
    except _DAMAGED as error:
        _empty(folder)
        if archive.stat().st_size == 0 or isinstance(error, EOFError | zlib.error):
            raise TruncatedFileError(
                f"{archive.name} ends before its content does; copy it again.", file=archive.name
            ) from error
        raise NotAnImageError(
            f"{archive.name} is not a readable archive, though its name says so; pack it again.",
            file=archive.name,
        ) from error
    except UnsafeArchiveError:
        _empty(folder)
        raise


def _unpack_zip(archive: Path, folder: Path, limits: ReadLimits) -> list[Path]:
    with zipfile.ZipFile(archive) as source:
        infos = source.infolist()
        _check_members(archive, (_zip_member(info) for info in infos), limits)
        budget = _Budget(archive, limits.max_unpacked_bytes)
        written = []
        for info in infos:
            if info.is_dir():
                continue
            with source.open(info) as content:
                written.append(_write(folder, info.filename, content, budget))
        return written


def _unpack_tar(archive: Path, folder: Path, limits: ReadLimits) -> list[Path]:
    budget = _Budget(archive, limits.max_unpacked_bytes)
    packed_bytes = archive.stat().st_size
    with _open_tar(archive) as source:
        members, total = [], 0
        for info in source:  # stops at the limit instead of reading all headers of an endless file
            members.append(info)
            total += info.size
            if len(members) > limits.max_files or total > limits.max_unpacked_bytes:
                break
        _check_members(archive, (_tar_member(info) for info in members), limits)
        if total > RATIO_CHECKED_ABOVE_BYTES and total > limits.max_compression_ratio * packed_bytes:
            raise _unsafe(archive, f"it unpacks to {total // max(packed_bytes, 1)} times its size")
        written = []
        for info in members:
            content = source.extractfile(info) if info.isfile() else None
            if content is not None:
                with content:
                    written.append(_write(folder, info.name, content, budget))
        return written


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    with tarfile.open(archive, mode="r:*") as source:
        yield source


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    unix_type = (info.external_attr >> 16) & _ZIP_TYPE_MASK
    kind = "folder" if info.is_dir() else "file"
    if unix_type == _ZIP_UNIX_LINK:
        kind = "link"
    if info.flag_bits & _ZIP_ENCRYPTED:
        kind = "encrypted file"
    # orig_filename: zipfile cuts names at a zero byte and turns backslashes round on Windows
    return _Member(info.orig_filename, info.file_size, info.compress_size, kind)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    kind = (
        "file"
        if info.isfile()
        else "folder"
        if info.isdir()
        else "link"
        if info.issym() or info.islnk()
        else "device"
    )
    return _Member(info.name, info.size, None, kind)


def _check_members(archive: Path, members: Iterable[_Member], limits: ReadLimits) -> None:
    seen: set[str] = set()
    total = 0
    for count, member in enumerate(members, start=1):
        if count > limits.max_files:
            raise _unsafe(archive, f"it has more than {limits.max_files} members")
        _check_name(archive, member.name)
        if member.kind not in ("file", "folder"):
            raise _unsafe(archive, f"member {count} is a {member.kind}")
        if member.kind == "folder":
            continue
        key = str(PurePosixPath(member.name)).casefold()
        if key in seen:
            raise _unsafe(archive, f"member {count} has the name of an earlier one")
        seen.add(key)
        total += member.size
        if total > limits.max_unpacked_bytes:
            raise _unsafe(archive, f"it unpacks to more than {limits.max_unpacked_bytes} bytes")
        if member.packed is not None and member.size > RATIO_CHECKED_ABOVE_BYTES:
            ratio = member.size / max(member.packed, 1)
            if ratio > limits.max_compression_ratio:
                raise _unsafe(archive, f"member {count} unpacks to {ratio:.0f} times its size")


def _check_name(archive: Path, name: str) -> None:
    if "\0" in name or not name:
        raise _unsafe(archive, "a member's name is empty or holds a zero byte")
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    if posix.is_absolute() or windows.drive or windows.root:
        raise _unsafe(archive, "a member has an absolute name")
    if ".." in posix.parts or ".." in windows.parts:
        raise _unsafe(archive, "a member's name climbs out of the folder by '..'")


class _Budget:
    """Counts what has really been written."""

    def __init__(self, archive: Path, limit: int) -> None:
        self._archive, self._left = archive, limit

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise _unsafe(
                self._archive, "it unpacks to more than its own list of members says and than is allowed"
            )


def _write(folder: Path, name: str, content: IO[bytes], budget: _Budget) -> Path:
    target = folder / PurePosixPath(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        while block := content.read(_COPY_BYTES):
            budget.spend(len(block))
            sink.write(block)
    return target


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _unsafe(archive: Path, reason: str) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"{archive.name} was not unpacked: {reason}. Pack plain files with relative names and try again.",
        file=archive.name,
    )
