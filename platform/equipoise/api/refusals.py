"""The seam by which refusals reach the audit trail, which stands above this kit."""

from typing import Protocol
from uuid import UUID

from equipoise.api.actors import Actor


class RefusalRecorder(Protocol):
    """Records one refused request, in a transaction of its own."""

    def __call__(
        self, *, actor: Actor | None, subject: str, code: str, trial_id: UUID | None, address: str
    ) -> None: ...


_recorders: list[RefusalRecorder] = []


def register_refusal_recorder(recorder: RefusalRecorder) -> None:
    """Name the recorder."""
    _recorders[:] = [recorder]


def refusal_notify(
    *, actor: Actor | None, subject: str, code: str, trial_id: UUID | None, address: str
) -> None:
    """Pass a refusal on."""
    for recorder in _recorders:
        recorder(actor=actor, subject=subject, code=code, trial_id=trial_id, address=address)
