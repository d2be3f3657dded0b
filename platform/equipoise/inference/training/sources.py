"""Where the cases of a training run come from: phantoms under a seed, or a folder; each is prepared once."""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.common.errors import DomainError
from equipoise.imaging import read_mask
from equipoise.imaging.volume import turn_for_display
from equipoise.inference.bone_scan import on_plane, prepare_bone_scan, views_of
from equipoise.inference.files import load_as_stored
from equipoise.inference.training.cases import (
    ClassificationCase,
    SegmentationCase,
    read_classification_case,
    read_segmentation_case,
    segmentation_case,
    split,
    write_classification_case,
    write_segmentation_case,
)
from equipoise.inference.training.errors import TrainingDataError
from equipoise.inference.training.phantom_cases import bone_scan_case, thorax_case
from equipoise.simulation import stream
from equipoise.simulation.bone_scan import VERSION as BONE_SCAN_PHANTOM
from equipoise.simulation.thorax import VERSION as THORAX_PHANTOM

SPLIT_STREAM = 13
"""Key of the stream that chooses the cases to validate on."""

PHANTOM_VERSIONS = {"nsclc": THORAX_PHANTOM, "bone-scan": BONE_SCAN_PHANTOM}
"""Pipeline -> generator and version of its phantoms."""

IMAGE, MASK, LABELS = "image", "mask", "labels.csv"
"""Names in a folder of cases: ``<case>/image.*`` and ``<case>/mask.*``; ``labels.csv`` for bone scans."""

_TRUTHS = {"0": False, "1": True}

Progress = Callable[[Sequence[str]], Iterable[str]]
"""Wraps the names of the cases that are prepared, for a person to watch."""


def _unwatched(names: Sequence[str]) -> Iterable[str]:
    return names


@dataclass(frozen=True, slots=True)
class Source:
    """Where cases come from: so many phantoms under a seed, or a folder."""

    phantoms: int = 0
    seed: int = 0
    folder: Path | None = None

    def __post_init__(self) -> None:
        if (self.folder is None) == (self.phantoms == 0):
            raise TrainingDataError("Give either a folder of cases or a number of phantoms.")

    def in_words(self, pipeline: str) -> str:
        """Say what the cases are."""
        if self.folder is not None:
            return f"cases of the folder {self.folder.name}"
        return f"{self.phantoms} phantoms ({PHANTOM_VERSIONS[pipeline]}, seed {self.seed})"


def segmentation_cases(
    source: Source, cache: Path, *, progress: Progress = _unwatched
) -> list[SegmentationCase]:
    """Prepare the cases of a source, or read those that were prepared before.

    Raises
    ------
    TrainingDataError
        With the file that is wrong and what would be right.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if source.folder is None:
        names = [f"phantom-{source.seed}-{number:05d}" for number in range(source.phantoms)]
        made: dict[str, Callable[[], SegmentationCase]] = {
            name: _thorax(source.seed, number, name) for number, name in enumerate(names)
        }
    else:
        made = {folder.name: _segmentation_from(folder) for folder in _case_folders(source.folder)}
    return [
        _cached(name, made[name], cache, read=read_segmentation_case, write=write_segmentation_case)
        for name in progress(list(made))
    ]


def classification_cases(
    source: Source, cache: Path, *, progress: Progress = _unwatched
) -> list[ClassificationCase]:
    """Prepare the scans of a source, or read those that were prepared before.

    Raises
    ------
    TrainingDataError
        With the file or row that is wrong and what would be right.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if source.folder is None:
        made: dict[str, Callable[[], ClassificationCase]] = {
            name: _bone_scan(source.seed, number, name)
            for number in range(source.phantoms)
            for name in [f"phantom-{source.seed}-{number:05d}"]
        }
    else:
        made = {
            path.name.split(".")[0]: _scan_from(path, positive=positive)
            for path, positive in read_labels(source.folder)
        }
    return [
        _cached(name, made[name], cache, read=read_classification_case, write=write_classification_case)
        for name in progress(list(made))
    ]


def _cached(name: str, make: Callable[[], Any], cache: Path, *, read: Any, write: Any) -> Any:
    path = cache / f"{name}.npz"
    if path.exists():
        return read(path)
    case = make()
    part = cache / f"{name}.part.npz"
    write(case, part)
    part.replace(path)
    return case


def _thorax(seed: int, number: int, name: str) -> Callable[[], SegmentationCase]:
    def make() -> SegmentationCase:
        case = thorax_case(seed, number)
        return segmentation_case(name, case.hu, case.spacing_mm, case.tumour)

    return make


def _bone_scan(seed: int, number: int, name: str) -> Callable[[], ClassificationCase]:
    def make() -> ClassificationCase:
        phantom = bone_scan_case(seed, number)
        plane = prepare_bone_scan(phantom.anterior, phantom.posterior)
        lesions = on_plane(phantom.masks["metastases"])
        return ClassificationCase(name, plane.astype(np.float16), phantom.positive, lesions)

    return make


def _case_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise TrainingDataError(f"{folder} is no folder.")
    cases = sorted(path for path in folder.iterdir() if path.is_dir())
    if not cases:
        raise TrainingDataError(
            f"{folder} holds no cases: it must hold one folder per case, each with {IMAGE}.* and {MASK}.*."
        )
    return cases


def _one(folder: Path, stem: str) -> Path:
    found = sorted(path for path in folder.iterdir() if path.name.split(".")[0] == stem)
    if len(found) != 1:
        raise TrainingDataError(
            f"{folder} holds {len(found)} entries named {stem}; each case needs one {IMAGE} (NIfTI, NRRD or a DICOM "
            f"folder) and one {MASK} (NIfTI or NRRD, empty where there is no tumour)."
        )
    return found[0]


def _segmentation_from(folder: Path) -> Callable[[], SegmentationCase]:
    def make() -> SegmentationCase:
        image, mask_path = _one(folder, IMAGE), _one(folder, MASK)
        try:
            volume, _ = turn_for_display(load_as_stored(image, modality="CT"))
            mask = read_mask(mask_path, image=volume)
            return segmentation_case(folder.name, volume.array, volume.grid.spacing_mm_zyx, mask.array)
        except DomainError as error:
            raise TrainingDataError(f"{folder.name}: {error}") from error

    return make


def read_labels(folder: Path) -> list[tuple[Path, bool]]:
    """Read ``labels.csv``: one row per scan, its file and whether it shows metastases (0 or 1).

    Raises
    ------
    TrainingDataError
        With the row that is wrong.
    """
    table = folder / LABELS
    try:
        with table.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.DictReader(source)
            if not {"file", "metastases"} <= set(reader.fieldnames or ()):
                raise TrainingDataError(f"{table} must have the columns file and metastases.")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataError(
            f"{table} cannot be read; it must be a CSV file with the columns file and metastases (0 or 1)."
        ) from error
    result: dict[str, tuple[Path, bool]] = {}
    for number, row in enumerate(rows, start=2):
        name, truth = (row.get("file") or "").strip(), (row.get("metastases") or "").strip()
        path = folder / name
        if truth not in _TRUTHS:
            raise TrainingDataError(f"{table}, row {number}: metastases is {truth!r}; it must be 0 or 1.")
        if not name or not path.resolve().is_relative_to(folder.resolve()) or not path.exists():
            raise TrainingDataError(f"{table}, row {number}: there is no file {name!r} in the folder.")
        stem = path.name.split(".")[0]
        if stem in result:
            raise TrainingDataError(f"{table}, row {number}: a scan named {stem} is listed already.")
        result[stem] = path, _TRUTHS[truth]
    if not result:
        raise TrainingDataError(f"{table} lists no scans.")
    return list(result.values())


def _scan_from(path: Path, *, positive: bool) -> Callable[[], ClassificationCase]:
    def make() -> ClassificationCase:
        try:
            volume = load_as_stored(path, modality="NM")
            plane = prepare_bone_scan(*views_of(volume.array, volume.description.views))
        except DomainError as error:
            raise TrainingDataError(f"{path.name}: {error}") from error
        return ClassificationCase(path.name.split(".")[0], plane.astype(np.float16), positive)

    return make


def parted(cases: Sequence[Any], *, share: float, seed: int) -> tuple[list[Any], list[Any]]:
    """Return the cases to train on and those to validate on."""
    training, validation = split([case.name for case in cases], share=share, rng=stream(seed, SPLIT_STREAM))
    by_name = {case.name: case for case in cases}
    return [by_name[name] for name in training], [by_name[name] for name in validation]
