"""What the browser is sent when a reading opens. A whitelist: nothing of the case, the item or a source is in it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from trials.domain.protocol.v1 import OnReturn, ProtocolV1
from trials.models import CaseImage, Participant, Reading, Response
from trials.reading_tasks.contract import task_part
from trials.reading_tasks.registry import reading_task
from trials.selectors.aid import aid_document, has_aid
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reader import Step, break_suggested, place_of, seconds_left_estimate
from trials.selectors.reading import PRACTICE, correction_allowed
from trials.selectors.returning import leave_note

FRAMES_PATH = "/frames"


def frames_document(reading: Reading, asset_tokens: Mapping[UUID, str]) -> list[dict[str, Any]]:
    """Return where the frames of the reading's images are, its own image first."""
    return [_image_document(reading, image, asset_tokens[image.id]) for image in reading.item.images]


def _image_document(reading: Reading, image: CaseImage, token: str) -> dict[str, Any]:
    """Return one image. Frame numbers count from the first one that may be seen."""
    item, volume = reading.item, image.volume
    _, rows, columns = volume.shape_zyx
    frame_spacing_mm, row_spacing_mm, column_spacing_mm = volume.spacing_mm_zyx
    first, last = item.frames_of(image)
    start = item.slice_index if image.id == item.image_id else (first + last) // 2
    return {
        "frames": f"{FRAMES_PATH}/{token}/",
        "rows": rows,
        "columns": columns,
        "row_spacing_mm": row_spacing_mm,
        "column_spacing_mm": column_spacing_mm,
        "frame_spacing_mm": frame_spacing_mm,
        "dtype": "int16",
        "first_frame": 0,
        "frame_count": last - first + 1,
        "start_frame": start - first,
        "views": list(volume.series_description.views),
        "modality": volume.modality,
    }


def condition_label(protocol: ProtocolV1, reading: Reading) -> str | None:
    """Return what an open condition is called; concealed ones are never named."""
    condition = protocol.condition(reading.condition)
    return condition.label if condition is not None and condition.factor == "open" else None


def first_answer(reading: Reading) -> dict[str, Any] | None:
    """Return the committed answer of a sequential pair, which stands locked above the second; None elsewhere."""
    if reading.stage != 2:
        return None
    first = (
        Response.objects.filter(
            reading__participant_id=reading.participant_id,
            reading__item_id=reading.item_id,
            reading__position=reading.position - 1,
            reading__stage=1,
        )
        .order_by("number")
        .first()
    )
    return None if first is None else dict(first.answer)


def presentation_document(reading: Reading, *, asset_tokens: Mapping[UUID, str]) -> dict[str, Any]:
    """Return everything the screen of one reading shows."""
    protocol = protocol_of_version(reading.protocol)
    place = place_of(reading)
    part = task_part(protocol)
    shown = reading_task(reading.task).present(reading, protocol=protocol)
    lowest, highest = shown.value_range
    images = frames_document(reading, asset_tokens)
    if shown.start_frame is not None:
        images[0]["start_frame"] = shown.start_frame
    return {
        "reading": reading.token,
        "lease": reading.lease,
        "task": reading.task,
        "phase": reading.phase,
        "stage": reading.stage,
        "condition": condition_label(protocol, reading),
        "n": place.n,
        "total": place.total,
        "seconds_left_estimate": seconds_left_estimate(reading.participant),
        "may_amend_previous": correction_allowed(protocol, reading),
        "images": images,
        "question": shown.question,
        "cannot_assess": [{"code": reason.code, "label": reason.label} for reason in part.cannot_assess],
        "confirm": part.confirm,
        "comment": part.comment,
        "windows": [
            {"key": window.key, "label": window.label, "width": window.width, "level": window.level}
            for window in shown.windows
        ],
        "start_window": shown.start_window,
        "inverted": shown.inverted,
        "value_range": {"lowest": lowest, "highest": highest},
        "scroll": shown.scroll,
        "setup": shown.setup,
        "has_aid": has_aid(protocol),
        "aid": aid_document(reading, protocol=protocol),
        "first_answer": first_answer(reading),
        "leave_note": leave_note(reading),
        "resume_within_hours": _hours_away(reading, protocol),
    }


def _hours_away(reading: Reading, protocol: ProtocolV1) -> int | None:
    """Return after how many hours a page that still stands must open its reading again; None where it may go on."""
    always = reading.phase == PRACTICE or protocol.sessions.on_return == OnReturn.RESUME
    return None if always else protocol.sessions.resume_within_hours


def next_document(
    participant: Participant,
    step: Step,
    reading: Reading | None,
    *,
    asset_tokens: Mapping[UUID, str] | None,
) -> dict[str, Any]:
    """Return what comes after a submit: the step, and the bare frames of the next reading if they are named."""
    place = place_of(reading) if reading is not None else None
    return {
        "step": step,
        "n": place.n if place else 0,
        "total": place.total if place else 0,
        "suggest_break": reading is not None and break_suggested(participant),
        "preload": [] if reading is None or asset_tokens is None else frames_document(reading, asset_tokens),
    }
