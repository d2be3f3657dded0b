"""How large the tumour of a case is by each contour: volume and longest axial diameter (RECIST 1.1).

Columns are ``volume_ml.<source>`` and ``longest_axial_diameter_mm.<source>``: of the case's stored contours, of
algorithms by their code, and for readers' own contours the median over readers under ``readers``.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import median

import numpy as np
from numpy.typing import NDArray

from equipoise.archive.models import StoredMask
from equipoise.archive.selectors import stored_mask_array
from equipoise.metrics import longest_axial_diameter_mm, volume_ml
from trials.models import AlgorithmResult, CasePurpose, Contour, Trial
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.segmentations import drawn_of_item, has_segmentations

VOLUME, DIAMETER = "volume_ml", "longest_axial_diameter_mm"
MEASURED_PREFIXES = (f"{VOLUME}.", f"{DIAMETER}.")
READERS = "readers"

Measured = dict[str, float]
"""Name of a measurement -> its value."""


def measurements_of_cases(trial: Trial) -> tuple[list[str], Mapping[str, Measured]]:
    """Return the names of the measurements, and by case code the values; a case without a contour has none."""
    by_case: dict[str, Measured] = defaultdict(dict)
    for case, source, volume, diameter in _measured(trial):
        by_case[case][f"{VOLUME}.{source}"] = volume
        by_case[case][f"{DIAMETER}.{source}"] = diameter
    found = {name for values in by_case.values() for name in values}
    sources = sorted({name.partition(".")[2] for name in found}, key=lambda one: (one == READERS, one))
    return [f"{what}.{source}" for source in sources for what in (VOLUME, DIAMETER)], by_case


def _measured(trial: Trial) -> Iterator[tuple[str, str, float, float]]:
    own = {"case__trial": trial, "case__purpose": CasePurpose.TRIAL}
    contours = Contour.objects.filter(**own).select_related("case", "mask__volume")
    for contour in contours.order_by("case__code", "source"):
        yield contour.case.code, contour.source, *_of_stored(contour.mask)
    results = (
        AlgorithmResult.objects.filter(contour=None, mask__isnull=False, repeat=1, **own)
        .select_related("case", "participant", "mask__volume")
        .order_by("case__code", "participant__code", "attempt")
    )
    for result in results:
        if result.mask is not None:
            yield result.case.code, result.participant.code, *_of_stored(result.mask)
    if has_segmentations(trial):
        yield from _of_readers(trial)


def _of_readers(trial: Trial) -> Iterator[tuple[str, str, float, float]]:
    """Yield the median over readers of their first contours; volumes of several items of a case are added up."""
    last = protocol_of_version(protocol_locked(trial)).analysis_plan.answer_used == "last"
    volumes: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    diameters: dict[str, dict[str, float]] = defaultdict(dict)
    for item in trial.items.filter(practice=False).select_related("case", "image__volume").order_by("code"):
        grid = item.image.volume.grid
        for reader, repeats in drawn_of_item(item, grid, last=last).items():
            if 1 in repeats and repeats[1].any():
                volume, diameter = _sizes(repeats[1], grid.spacing_mm_zyx)
                volumes[item.case.code][reader] += volume
                diameters[item.case.code][reader] = max(
                    diameter, diameters[item.case.code].get(reader, diameter)
                )
    for case, by_reader in volumes.items():
        yield case, READERS, median(by_reader.values()), median(diameters[case].values())


def _of_stored(mask: StoredMask) -> tuple[float, float]:
    return _sizes(stored_mask_array(mask), mask.volume.spacing_mm_zyx)


def _sizes(array: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    return float(volume_ml(array, spacing_mm)), float(longest_axial_diameter_mm(array, spacing_mm).length_mm)
