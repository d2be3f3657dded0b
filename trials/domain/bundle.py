"""A bundle's manifest: which files belong to it, and what each must hold. Needs no server."""

import hashlib
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from equipoise.common.errors import ValidationFailedError
from equipoise.imaging.containers import unpack
from equipoise.imaging.limits import ReadLimits

BUNDLE_SCHEMA = "equipoise-bundle/1"
"""Names the layout of a bundle. Files and fields are only ever added; another layout takes another name."""
PUBLIC_SCHEMA = "equipoise-public-bundle/1"
"""Names the layout of the form in which a bundle is made public."""
MANIFEST = "manifest.json"
REPORT = "report.html"
SIGNATURES = "signatures.json"
MAX_MANIFEST_BYTES = 128 * 1024 * 1024
BUNDLE_LIMITS = ReadLimits(max_files=500_000, max_compression_ratio=1100)
"""What a bundle may unpack to. Masks and heat maps are mostly zeros, on which DEFLATE reaches its 1032; the bound on
the whole is what keeps the disk free."""
_COMPRESSED = frozenset({".xlsx", ".parquet", ".png", ".gz"})
"""What files are called that DEFLATE makes no smaller."""


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file of a bundle; its folder is made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as sink:
        sink.writelines(lines)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document of a bundle."""
    write_lines(path, [json.dumps(document, indent=1, ensure_ascii=False) + "\n"])


def write_manifest(folder: Path, *, schema: str = BUNDLE_SCHEMA) -> int:
    """Name every file of the folder with its size and SHA-256 in ``manifest.json``; return how many."""
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha256(path)}
        for path in _files(folder)
    }
    document = {"schema": schema, "files": files}
    (folder / MANIFEST).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8", newline="\n")
    return len(files)


def manifest_sha256(folder: Path) -> str:
    """Return the bundle's own hash: that of its manifest, which names every other file with its hash."""
    return _sha256(folder / MANIFEST)


def zip_into(folder: Path, sink: BinaryIO) -> None:
    """Put a bundle's folder into one compressed file; what is compressed already goes in as it is."""
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            packed = zipfile.ZIP_STORED if path.suffix in _COMPRESSED else None
            archive.write(path, path.relative_to(folder).as_posix(), compress_type=packed)


def bundle_problems(folder: Path) -> list[str]:
    """Return everything in which the folder differs from its manifest, a sentence each; empty if it is whole.

    Raises
    ------
    ValueError
        If the folder holds no manifest of a bundle.
    """
    named = _manifest(folder)
    there = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    problems = [f"{name} is missing." for name in named if name not in there]
    problems += [f"{name} is not in the manifest." for name in there if name not in named]
    problems += [
        f"{name} was changed: its SHA-256 is not the manifest's."
        for name, path in there.items()
        if name in named and _sha256(path) != named[name]
    ]
    return problems


def is_public(folder: Path) -> bool:
    """Say whether the folder holds the public form of a bundle.

    Raises
    ------
    ValueError
        If it holds no manifest of a bundle.
    """
    return bool(_document(folder)["schema"] == PUBLIC_SCHEMA)


def _document(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError(f"{path} has more than {MAX_MANIFEST_BYTES} bytes.")
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ValueError(f"{folder} holds no {MANIFEST} of a bundle.") from None
    layouts = (BUNDLE_SCHEMA, PUBLIC_SCHEMA)
    if not isinstance(document, dict) or document.get("schema") not in layouts:
        raise ValueError(f"{path} is not of the layout {' or '.join(layouts)}.")
    return document


def _manifest(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that the manifest names."""
    files = _document(folder).get("files")
    if not isinstance(files, dict) or not all(isinstance(row, dict) for row in files.values()):
        raise ValueError(f"{folder / MANIFEST}: files must be an object of one object per file.")
    return {name: str(row.get("sha256")) for name, row in files.items()}


def bundle_bring(source: Path, folder: Path, *, limits: ReadLimits = BUNDLE_LIMITS) -> None:
    """Bring a bundle that somebody else made, a folder or a zip file, into an empty folder.

    Only plain files with relative names come in, and no more than the limits and the disk allow.

    Raises
    ------
    DomainError
        Naming what was refused.
    """
    free = shutil.disk_usage(folder).free // 2
    limits = replace(limits, max_unpacked_bytes=min(limits.max_unpacked_bytes, free))
    if source.is_dir() and not source.is_symlink():
        _copy_folder(source, folder, limits)
    elif source.is_file() and source.name.lower().endswith(".zip"):
        unpack(source, folder, limits=limits)
    else:
        raise ValidationFailedError(f"{source.name} is neither the folder of a bundle nor a .zip file.")


def _copy_folder(source: Path, folder: Path, limits: ReadLimits) -> None:
    count, left = 0, limits.max_unpacked_bytes
    for parent, folders, names in os.walk(source):
        for name in (*folders, *names):
            path = Path(parent) / name
            place = path.relative_to(source)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                (folder / place).mkdir()
                continue
            if not stat.S_ISREG(mode):
                raise ValidationFailedError(f"{place} is a link or a device; a bundle holds plain files.")
            count, left = count + 1, left - path.lstat().st_size
            if count > limits.max_files or left < 0:
                raise ValidationFailedError(
                    f"{source.name} holds more than {limits.max_files} files or {limits.max_unpacked_bytes} bytes."
                )
            shutil.copyfile(path, folder / place, follow_symlinks=False)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
