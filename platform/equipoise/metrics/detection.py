"""Whether a candidate finds disease lung by lung."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, find_objects, label

from equipoise.metrics._validation import (
    Mask,
    Spacing,
    validated_masks,
    validated_pair,
    validated_spacing,
)
from equipoise.metrics.volume import volume_of_count_ml

DetectionLabel = Literal["tp", "fn", "fp", "tn"]
"""True positive, false negative, false positive, true negative."""

TOUCHING = np.ones((3, 3, 3), dtype=np.int8)
"""Voxels that touch at a face, an edge or a corner belong to one lesion."""

LABELS: dict[tuple[bool, bool], DetectionLabel] = {
    (True, True): "tp",
    (True, False): "fn",
    (False, True): "fp",
    (False, False): "tn",
}
"""(reference has disease, candidate has disease) -> label."""


@dataclass(frozen=True)
class LungDetection:
    """One lung's label, with the disease volume that each mask assigns to it."""

    lung: str
    label: DetectionLabel
    reference_ml: float
    candidate_ml: float


def detection_by_lung(
    reference: npt.ArrayLike,
    candidate: npt.ArrayLike,
    lungs: Mapping[str, npt.ArrayLike],
    spacing_mm: Sequence[float],
    *,
    min_volume_ml: float = 0.0,
) -> list[LungDetection]:
    """Label each lung by whether the reference and the candidate have disease in it.

    Parameters
    ----------
    reference, candidate
        Disease masks ``(z, y, x)`` of one shape, booleans or 0 and 1.
    lungs
        Name (``left``, ``right``) -> lung mask of the same shape, none of them empty.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    min_volume_ml
        A mask has disease in a lung when it assigns more than this volume to it.

    Returns
    -------
    list of LungDetection
        One per lung, in the mapping's order.

    Raises
    ------
    TypeError, ValueError
        If masks are not binary and of one shape, there is no lung, or a lung is empty.

    Notes
    -----
    A lesion (26-connected) belongs to the lung that holds most of its voxels; of equal shares, to the lung
    named first. One that touches no lung, as chest wall and mediastinal disease may, belongs to the nearest,
    so that no disease is dropped. The label asks for disease in the same lung, not for overlap. Both lungs of
    a patient are one cluster in the analysis.
    """
    first, second = validated_pair(reference, candidate)
    checked = validated_masks(lungs, name="lungs")
    spacing = validated_spacing(spacing_mm)
    if not checked:
        raise ValueError("'lungs' must hold at least one lung mask, not none.")
    if min_volume_ml < 0:
        raise ValueError(f"'min_volume_ml' must not be negative, but it is {min_volume_ml}.")
    for name, lung in checked.items():
        if lung.shape != first.shape:
            raise ValueError(
                f"'lungs[{name!r}]' must have shape {first.shape}, but its shape is {lung.shape}."
            )
        if not lung.any():
            raise ValueError(
                f"'lungs[{name!r}]' must not be empty, but no voxel of {lung.shape} is foreground."
            )
    found = [_volumes_ml(mask, checked, spacing_mm=spacing) for mask in (first, second)]
    return [
        LungDetection(
            lung=name,
            label=LABELS[found[0][name] > min_volume_ml, found[1][name] > min_volume_ml],
            reference_ml=found[0][name],
            candidate_ml=found[1][name],
        )
        for name in checked
    ]


def _volumes_ml(mask: Mask, lungs: Mapping[str, Mask], *, spacing_mm: Spacing) -> dict[str, float]:
    """Return the disease volume that belongs to each lung."""
    counts = dict.fromkeys(lungs, 0)
    pieces, _ = label(mask, structure=TOUCHING)
    for number, place in enumerate(find_objects(pieces), start=1):
        if place is None:
            continue
        lesion = pieces[place] == number
        shares = {name: float(np.count_nonzero(lung[place] & lesion)) for name, lung in lungs.items()}
        if not any(shares.values()):
            whole = pieces == number
            shares = {name: -_gap_mm(whole, lung, spacing_mm=spacing_mm) for name, lung in lungs.items()}
        counts[max(shares, key=shares.__getitem__)] += int(np.count_nonzero(lesion))
    return {name: volume_of_count_ml(count, spacing_mm=spacing_mm) for name, count in counts.items()}


def _gap_mm(lesion: Mask, lung: Mask, *, spacing_mm: Spacing) -> float:
    """Return the distance between the nearest voxel centres of a lesion and a lung."""
    return float(distance_transform_edt(~lung, sampling=spacing_mm)[lesion].min())
