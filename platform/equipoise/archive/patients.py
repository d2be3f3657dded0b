"""Sorting what a folder holds by patient, before anything is stored."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.imaging.reading import FolderContents
from equipoise.imaging.series import DicomSeries
from equipoise.imaging.structure_set import StructureSet
from equipoise.imaging.volume_files import SUFFIXES, VolumeFile


@dataclass(slots=True)
class PatientMaterial:
    """Everything of one patient in one folder. ``original_id`` stays in memory."""

    original_id: str = field(repr=False)
    series: list[DicomSeries] = field(default_factory=list)
    structure_sets: list[StructureSet] = field(default_factory=list)
    images: list[VolumeFile] = field(default_factory=list)
    masks: list[VolumeFile] = field(default_factory=list)

    def paths(self) -> list[Path]:
        """Return the patient's files."""
        files = [path for series in self.series for path in series.paths]
        files += [structures.path for structures in self.structure_sets]
        return files + [file.path for file in (*self.images, *self.masks)]


class _PatientFolders:
    """Knows which folder of what was sent is a patient's: the first one below those that only wrap the others."""

    def __init__(self, contents: FolderContents) -> None:
        self._roots = [*contents.unpacked.values(), contents.folder]
        images = [file.path for file in contents.images]
        every = images + [file.path for file in contents.masks]
        self._depth = {root: _wrapper_depth(root, every, images) for root in self._roots}

    def of(self, path: Path) -> str:
        """Return the name of the patient's folder that a file lies in; empty if it lies above."""
        root = next((root for root in self._roots if path.is_relative_to(root)), path.parent)
        folders = path.relative_to(root).parts[:-1]
        depth = self._depth.get(root, 0)
        return folders[depth] if len(folders) > depth else ""


def _wrapper_depth(root: Path, volume_files: list[Path], images: list[Path]) -> int:
    """Return how many folders below the root hold everything and nothing but further folders, or several images."""
    below = [path.relative_to(root).parts for path in volume_files if path.is_relative_to(root)]
    own_images = [path.relative_to(root).parts for path in images if path.is_relative_to(root)]
    depth = 0
    while (
        below
        and len({parts[depth] for parts in below}) == 1
        and all(len(parts) > depth + 1 for parts in below)
    ):
        is_file_level = any(len(parts) == depth + 2 for parts in below)
        if is_file_level and sum(len(parts) == depth + 2 for parts in own_images) < 2:
            break  # one image with its masks: this is the patient's own folder
        if not is_file_level and {parts[depth + 1] for parts in below} - {
            parts[depth + 1] for parts in own_images
        }:
            break  # a subfolder without an image holds masks: the folder above is the patient's
        depth += 1
        if is_file_level:
            break
    return depth


def sort_by_patient(contents: FolderContents) -> list[PatientMaterial]:
    """Return the folder's material patient by patient, in a stable order.

    DICOM says whose it is; where it does not, and for volume files, the patient is the top folder's name, or
    the start of the file's name where all files lie in one folder.
    """
    folders = _PatientFolders(contents)
    patients: dict[str, PatientMaterial] = {}
    owner_of_folder: dict[Path, set[str]] = defaultdict(set)

    def patient(original_id: str) -> PatientMaterial:
        return patients.setdefault(original_id.strip().casefold(), PatientMaterial(original_id))

    for series in contents.series:
        owner = series.patient_id or folders.of(series.paths[0]) or series.series_uid
        patient(owner).series.append(series)
        for path in series.paths:
            owner_of_folder[path.parent].add(owner)
    for structures in contents.structure_sets:
        owner = structures.patient_id or folders.of(structures.path) or structures.path.stem
        patient(owner).structure_sets.append(structures)
        owner_of_folder[structures.path.parent].add(owner)
    stems = [_stem(file.path) for file in contents.images]
    for file in contents.images:
        patient(_owner(file, folders, owner_of_folder, stems)).images.append(file)
    for file in contents.masks:
        patient(_owner(file, folders, owner_of_folder, stems)).masks.append(file)
    return [patients[key] for key in sorted(patients)]


def _owner(
    file: VolumeFile, folders: _PatientFolders, owner_of_folder: dict[Path, set[str]], image_stems: list[str]
) -> str:
    """Return whose a volume file is: the DICOM's beside it, the top folder's, or the one its name begins with."""
    beside = owner_of_folder.get(file.path.parent, set())
    if len(beside) == 1:
        return next(iter(beside))
    folder = folders.of(file.path)
    if folder:
        return folder
    stem = _stem(file.path)
    begun = [
        other
        for other in image_stems
        if stem == other or stem.startswith((f"{other}_", f"{other}-", f"{other}."))
    ]
    if begun:
        return max(begun, key=len)
    return image_stems[0] if len(image_stems) == 1 else stem


def _stem(path: Path) -> str:
    lower = path.name.lower()
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if lower.endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]
