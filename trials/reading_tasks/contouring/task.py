"""The contouring task's answer, presentation and tidy columns."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.tasks import ContouringTask as ContouringProtocol
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Reading, Response
from trials.reading_tasks.contouring.setup import ContouringSetupSerializer
from trials.reading_tasks.contract import (
    REASON_CODE,
    CheckedAnswer,
    Feedback,
    Presented,
    check_common,
    refuse,
)
from trials.reading_tasks.drawing import (
    DRAWING_COLUMNS,
    DRAWING_KEYS,
    drawing_columns,
    drawing_problems,
    files_of,
    mask_of,
    measures_of,
)
from trials.reading_tasks.volumes import volume_setup, volume_windows


def _contouring(protocol: ProtocolV1) -> ContouringProtocol:
    task = protocol.task
    if not isinstance(task, ContouringProtocol):
        raise LookupError("The protocol has no contouring task, yet a reading asks for one.")
    return task


class ContouringTask:
    """See the module."""

    name: str = "contouring"
    setup_serializer: type[serializers.Serializer[Any]] = ContouringSetupSerializer
    columns: tuple[str, ...] = DRAWING_COLUMNS

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answer in its stored form, or raise naming each wrong field."""
        task = _contouring(protocol)
        problems, comment = check_common(answer, keys=DRAWING_KEYS, part=task)
        if answer.get(REASON_CODE) is not None:
            for key in DRAWING_KEYS:
                if answer.get(key):
                    problems[f"/answer/{key}"] = "An image that cannot be assessed has no contour."
            refuse(problems)
            stored = {REASON_CODE: answer[REASON_CODE]}
            return CheckedAnswer(stored=stored, comment=comment, not_assessable=True)
        grid = reading.item.image.volume.grid
        mask = mask_of(answer.get("mask"), grid)
        problems |= drawing_problems(answer, grid)
        if isinstance(mask, str):
            problems["/answer/mask"] = mask
        if problems or isinstance(mask, str):
            raise ValidationFailedError.of_fields(problems)
        return CheckedAnswer(
            stored={
                "engine": answer["engine"],
                **measures_of(mask, answer["acts"], answer["origins"]),
                "slice_ms": answer["slice_ms"],
                "origins": answer["origins"],
                REASON_CODE: None,
            },
            comment=comment,
            not_assessable=False,
            files=files_of(mask, answer["acts"]),
        )

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return where the voxels lie and what the protocol lets the screen show. Nothing is drawn beforehand."""
        task = _contouring(protocol)
        display = task.display
        windows, start = volume_windows(display)
        return Presented(
            question=task.question,
            windows=windows,
            start_window=start,
            scroll=True,
            setup={"kind": self.name, **volume_setup(reading, display)},
        )

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return what was measured of the drawn mask."""
        return drawing_columns(response)

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """Contours differ by degrees."""
        return {}

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """Return nothing: a contour is neither right nor wrong."""
        return None
