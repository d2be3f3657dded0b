"""What the browser is sent when a reading opens. A whitelist: nothing of the case, the item or a source is in it."""

from typing import Any

from trials.models import Participant, Reading
from trials.reading_tasks.registry import reading_task
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reader import place_of, reader_step, seconds_left_estimate
from trials.selectors.reading import correction_allowed

FRAMES_PATH = "/frames"


def frames_document(reading: Reading, asset_token: str) -> dict[str, Any]:
    """Return where the reading's image frames are. Frame numbers count from the first one that may be seen."""
    item = reading.item
    volume = item.image.volume
    _, rows, columns = volume.shape_zyx
    _, row_spacing_mm, column_spacing_mm = volume.spacing_mm_zyx
    return {
        "frames": f"{FRAMES_PATH}/{asset_token}/",
        "rows": rows,
        "columns": columns,
        "row_spacing_mm": row_spacing_mm,
        "column_spacing_mm": column_spacing_mm,
        "dtype": "int16",
        "first_frame": 0,
        "frame_count": item.last_frame - item.first_frame + 1,
        "start_frame": item.slice_index - item.first_frame,
    }


def presentation_document(reading: Reading, *, asset_token: str) -> dict[str, Any]:
    """Return everything the screen of one reading shows."""
    protocol = protocol_of_version(reading.protocol)
    place = place_of(reading)
    return {
        "reading": reading.token,
        "lease": reading.lease,
        "task": reading.task,
        "phase": reading.phase,
        "n": place.n,
        "total": place.total,
        "seconds_left_estimate": seconds_left_estimate(reading.participant),
        "may_amend_previous": correction_allowed(protocol, phase=reading.phase),
        "image": frames_document(reading, asset_token),
        **reading_task(reading.task).present(reading, protocol=protocol),
    }


def next_document(participant: Participant, *, preload: tuple[Reading, str] | None) -> dict[str, Any]:
    """Return what comes after a submit: the step, and the bare frames of the next reading."""
    step, reading = reader_step(participant)
    place = place_of(reading) if reading is not None else None
    return {
        "step": step,
        "n": place.n if place else 0,
        "total": place.total if place else 0,
        "preload": None if preload is None else frames_document(*preload),
    }
