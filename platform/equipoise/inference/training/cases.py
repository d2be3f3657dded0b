"""Cases to train on: prepared as the pipelines prepare them, kept as files so that a resumed run reads the same.

A segmentation case is the part of its planes that shows lung; a classification case is one side-by-side plane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.crop import network_boxes
from equipoise.inference.errors import UnusableScanError
from equipoise.inference.nsclc import prepare_nsclc
from equipoise.inference.training.errors import TrainingDataError

MARGIN = 16
"""Pixels kept around the lungs."""


@dataclass(frozen=True, eq=False)
class SegmentationCase:
    """A prepared CT with its tumour.

    Attributes
    ----------
    bins : ndarray of uint8, shape (slices, rows, columns)
        Rows and columns are multiples of 32.
    target : ndarray of bool, same shape
        The tumour on the plane, as far as it lies in what the pipeline looks at.
    """

    name: str
    bins: NDArray[np.uint8]
    target: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ClassificationCase:
    """A prepared bone scan.

    Attributes
    ----------
    plane : ndarray of float16, shape (512, 512)
        Both views side by side.
    lesions : ndarray of bool, shape (512, 512), or None
        Where metastases show on it, if that is known.
    """

    name: str
    plane: NDArray[np.float16]
    positive: bool
    lesions: NDArray[np.bool_] | None = None


def segmentation_case(
    name: str,
    hu: NDArray[np.number],
    spacing_mm: tuple[float, float, float],
    tumour: NDArray[np.bool_],
) -> SegmentationCase:
    """Prepare a CT, shape (z, y, x) the usual way round, as ``nsclc`` does.

    Raises
    ------
    UnusableScanError
        If it is no scan, or shows no lungs.
    """
    scan = prepare_nsclc(hu, spacing_mm)
    if len(scan.bins) == 0:
        raise UnusableScanError("No lungs were found in it.")
    on_plane = scan.plane.to_plane(
        tumour[scan.first_slice : scan.last_slice].astype(np.int16), outside=0
    ).astype(np.bool_)
    box = network_boxes(np.any(scan.lung_mask, axis=0)[None], margin=MARGIN)[0]
    assert box is not None  # there are lungs
    return SegmentationCase(
        name,
        np.ascontiguousarray(scan.bins[:, box[0], box[1]]),
        np.ascontiguousarray((on_plane & scan.lung_mask)[:, box[0], box[1]]),
    )


def write_segmentation_case(case: SegmentationCase, path: Path) -> None:
    """Write a case as a compressed archive of arrays."""
    np.savez_compressed(
        path, bins=case.bins, target=np.packbits(case.target), shape=np.array(case.target.shape)
    )


def read_segmentation_case(path: Path) -> SegmentationCase:
    """Read what :func:`write_segmentation_case` wrote.

    Raises
    ------
    TrainingDataError
        If the file is none.
    """
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            shape = tuple(int(n) for n in file["shape"])
            bits = np.unpackbits(file["target"], count=int(np.prod(shape)))
            return SegmentationCase(path.stem, file["bins"], bits.reshape(shape).astype(np.bool_))
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise TrainingDataError(f"{path.name} is no prepared case; delete it to prepare it anew.") from error


def write_classification_case(case: ClassificationCase, path: Path) -> None:
    """Write a case as a compressed archive of arrays."""
    positive = np.array(case.positive)
    if case.lesions is None:
        np.savez_compressed(path, plane=case.plane, positive=positive)
    else:
        np.savez_compressed(path, plane=case.plane, positive=positive, lesions=np.packbits(case.lesions))


def read_classification_case(path: Path) -> ClassificationCase:
    """Read what :func:`write_classification_case` wrote.

    Raises
    ------
    TrainingDataError
        If the file is none.
    """
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            plane, lesions = file["plane"], None
            if "lesions" in file:
                bits = np.unpackbits(file["lesions"], count=plane.size)
                lesions = bits.reshape(plane.shape).astype(np.bool_)
            return ClassificationCase(path.stem, plane, bool(file["positive"]), lesions)
    except (OSError, EOFError, KeyError, TypeError, ValueError, BadZipFile) as error:
        raise TrainingDataError(f"{path.name} is no prepared case; delete it to prepare it anew.") from error


def split(names: Sequence[str], *, share: float, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Return the names to train on and those to validate on, at least one of each.

    Raises
    ------
    TrainingDataError
        If there are fewer than two.
    """
    if len(names) < 2:
        raise TrainingDataError(
            f"Training needs at least two cases, one of them to validate on; there are {len(names)}."
        )
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    chosen = {names[int(i)] for i in rng.permutation(len(names))[:count]}
    return [name for name in names if name not in chosen], [name for name in names if name in chosen]
