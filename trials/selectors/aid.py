"""What of an algorithm's result stands beside the image in an aided reading.

It travels with the opening of the reading and with nothing else. Which result that is, or that there is none, is fixed
when the reading is first opened: an algorithm that runs again changes no reading that is under way or over. True and
sham aids are equal in everything but their values: the same keys, a probability of the same form, a heat map of the
same number of bytes.
"""

import base64
import hashlib
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from equipoise.common.stable_random import StableRandom
from trials.domain.columns import AID_COLUMNS
from trials.domain.protocol.design import Aid
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import AlgorithmResult, Reading
from trials.selectors.results import heat_map_of

MAX_MAP_PIXELS = 2**21
"""Of all frames of a heat map as it is sent; larger ones are reduced by whole factors, the same for equal images."""
SHUFFLED_PARTS = 8
"""A shuffled map is cut into this many parts along either side."""
PROBABILITY_DIGITS = 2


def has_aid(protocol: ProtocolV1) -> bool:
    """Say whether any condition of the trial is aided: the screen then keeps a place for it in every reading."""
    return any(condition.aid is not None for condition in protocol.conditions)


def aid_of(reading: Reading, *, protocol: ProtocolV1) -> Aid | None:
    """Return the aid of the reading's condition."""
    condition = protocol.condition(reading.condition)
    return None if condition is None else condition.aid


def aid_document(reading: Reading, *, protocol: ProtocolV1) -> dict[str, Any] | None:
    """Return the aid of a reading; None in a condition without one.

    Where the algorithm gave no result, or failed, the aid is there and says that it is not available.
    """
    aid = aid_of(reading, protocol=protocol)
    if aid is None:
        return None
    result = _shown_result(reading, aid)
    if result is None or result.failure_code:
        return {"available": False, "probability": None, "heat_map": None}
    return {
        "available": True,
        "probability": _shown_probability(result, aid),
        "heat_map": _heat_map(reading, result, aid) if aid.heat_map else None,
    }


def aid_columns(reading: Reading, *, protocol: ProtocolV1) -> dict[str, Any]:
    """Return what the table says of the aid that a reading showed; empty without one and before it was opened."""
    aid = aid_of(reading, protocol=protocol)
    if aid is None or reading.aid_fixed_at is None:
        return dict.fromkeys(AID_COLUMNS)
    result = reading.aid_result
    available = result is not None and not result.failure_code
    return {
        "aid_available": int(available),
        "aid_probability": _shown_probability(result, aid) if result is not None else None,
        "aid_result_id": None if result is None else str(result.id),
    }


def _shown_probability(result: AlgorithmResult, aid: Aid) -> float | None:
    if result.probability is None or not aid.probability:
        return None
    return round(result.probability, PROBABILITY_DIGITS)


def has_overlay(reading: Reading, *, protocol: ProtocolV1) -> bool:
    """Say whether a heat map is laid over the image of the reading."""
    aid = aid_of(reading, protocol=protocol)
    if aid is None or not aid.heat_map:
        return False
    result = _shown_result(reading, aid)
    return result is not None and getattr(result, "heat_map", None) is not None


def _shown_result(reading: Reading, aid: Aid) -> AlgorithmResult | None:
    """Return the result that the reading shows; of one that was never opened, the one that it would show now."""
    return reading.aid_result if reading.aid_fixed_at is not None else result_to_show(reading, aid)


def result_to_show(reading: Reading, aid: Aid) -> AlgorithmResult | None:
    """Return the algorithm's result for the case (its last attempt), or for the case that a sham shows in its place."""
    other = reading.allocation_row.aid_item if aid.sham == "other_scan" else None
    item = other if other is not None else reading.item
    return (
        AlgorithmResult.objects.select_related("participant__algorithm_version", "heat_map__stored")
        .filter(
            trial_id=reading.trial_id,
            case_id=item.case_id,
            participant__algorithm_version__source=aid.source,
            task=reading.task,
            repeat=1,
        )
        .order_by("-attempt", "received_at")
        .first()
    )


def _heat_map(reading: Reading, result: AlgorithmResult, aid: Aid) -> dict[str, Any] | None:
    """Return the map on the grid of the reading's image: levels as base64, frame after frame, rows from the top."""
    found = _levels(result.id)
    volume = reading.item.image.volume
    if found is None:
        return None
    levels = _fitted(found, volume.shape_zyx)
    factor = reduction(volume.shape_zyx)
    reduced = _reduced(levels, factor)
    if aid.sham == "shuffled":
        reduced = shuffled(reduced, key=str(reading.allocation_row_id))
    return {
        "factor": factor,
        "rows": reduced.shape[1],
        "columns": reduced.shape[2],
        "frames": reduced.shape[0],
        "levels": base64.b64encode(reduced.tobytes()).decode("ascii"),
    }


@lru_cache(maxsize=16)
def _levels(result_id: UUID) -> NDArray[np.uint8] | None:
    found = heat_map_of(AlgorithmResult.objects.select_related("participant").get(id=result_id))
    return None if found is None else found.levels


def reduction(shape_zyx: tuple[int, int, int]) -> int:
    """Return the smallest whole factor by which rows and columns are reduced so that the map can be sent."""
    frames, rows, columns = shape_zyx
    factor = 1
    while frames * -(-rows // factor) * -(-columns // factor) > MAX_MAP_PIXELS:
        factor += 1
    return factor


def _fitted(levels: NDArray[np.uint8], shape_zyx: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return another scan's map on this image's grid: its own nearest levels, place by relative place."""
    if levels.shape == shape_zyx:
        return levels
    index = [
        np.minimum((np.arange(wanted) + 0.5) * given / wanted, given - 1).astype(np.intp)
        for wanted, given in zip(shape_zyx, levels.shape, strict=True)
    ]
    fitted: NDArray[np.uint8] = levels[np.ix_(*index)]
    return fitted


def _reduced(levels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return the mean level of every block of ``factor`` by ``factor`` pixels; blocks at the border are padded."""
    if factor == 1:
        return np.ascontiguousarray(levels)
    frames, rows, columns = levels.shape
    padded = np.pad(levels, ((0, 0), (0, -rows % factor), (0, -columns % factor)), mode="edge")
    blocks = padded.reshape(frames, padded.shape[1] // factor, factor, padded.shape[2] // factor, factor)
    means: NDArray[np.uint8] = np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
    return means


def shuffled(levels: NDArray[np.uint8], *, key: str) -> NDArray[np.uint8]:
    """Return the map with its parts in other places, the same ones for the same key: every level is still there once.

    Rows and columns that do not fill a part stay where they are.
    """
    random = StableRandom(int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"), "sham-map:1")
    result = levels.copy()
    height, width = levels.shape[1] // SHUFFLED_PARTS, levels.shape[2] // SHUFFLED_PARTS
    if height == 0 or width == 0:
        return result
    places = [
        (frame, row * height, column * width)
        for frame in range(levels.shape[0])
        for row in range(SHUFFLED_PARTS)
        for column in range(SHUFFLED_PARTS)
    ]
    for (frame, y, x), (from_frame, from_y, from_x) in zip(places, random.shuffled(places), strict=True):
        result[frame, y : y + height, x : x + width] = levels[
            from_frame, from_y : from_y + height, from_x : from_x + width
        ]
    return result
