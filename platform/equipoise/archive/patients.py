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


def sort_by_patient(contents: FolderContents) -> list[PatientMaterial]:
    """Return the folder's material patient by patient, in a stable order.

    DICOM says whose it is; where it does not, and for volume files, the patient is the top folder's name, or
    the start of the file's name where all files lie in one folder.
    """
    patients: dict[str, PatientMaterial] = {}
    owner_of_folder: dict[Path, set[str]] = defaultdict(set)

    def patient(original_id: str) -> PatientMaterial:
        return patients.setdefault(original_id.strip().casefold(), PatientMaterial(original_id))

    for series in contents.series:
        owner = series.patient_id or _top_folder(contents, series.paths[0]) or series.series_uid
        patient(owner).series.append(series)
        for path in series.paths:
            owner_of_folder[path.parent].add(owner)
    for structures in contents.structure_sets:
        owner = structures.patient_id or _top_folder(contents, structures.path) or structures.path.stem
        patient(owner).structure_sets.append(structures)
        owner_of_folder[structures.path.parent].add(owner)
    stems = [_stem(file.path) for file in contents.images]
    for file in contents.images:
        patient(_owner(contents, file, owner_of_folder, stems)).images.append(file)
    for file in contents.masks:
        patient(_owner(contents, file, owner_of_folder, stems)).masks.append(file)
    return [patients[key] for key in sorted(patients)]


def _owner(
    contents: FolderContents, file: VolumeFile, owner_of_folder: dict[Path, set[str]], image_stems: list[str]
) -> str:
    """Return whose a volume file is: the DICOM's beside it, the top folder's, or the one its name begins with."""
    beside = owner_of_folder.get(file.path.parent, set())
    if len(beside) == 1:
        return next(iter(beside))
    folder = _top_folder(contents, file.path)
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


def _top_folder(contents: FolderContents, path: Path) -> str:
    """Return the first folder of the file's path inside what was sent, or inside its archive; empty at the top."""
    for target in contents.unpacked.values():
        if path.is_relative_to(target):
            inside = path.relative_to(target).parts[:-1]
            return inside[0] if inside else ""
    parts = path.relative_to(contents.folder).parts[:-1]
    return parts[0] if parts else ""


def _stem(path: Path) -> str:
    lower = path.name.lower()
    suffix = next((s for s in sorted(SUFFIXES, key=len, reverse=True) if lower.endswith(s)), "")
    return path.name[: len(path.name) - len(suffix)]
