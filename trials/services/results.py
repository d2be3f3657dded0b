"""Results of algorithms come in: each item whole or not at all, with a report for each, sent twice stored once."""

import hashlib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from equipoise.archive.models import StoredMask, StoredVolume
from equipoise.archive.services import mask_store
from equipoise.archive.storage import default_store
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import DomainError, ErrorCode, StateConflictError, ValidationFailedError
from equipoise.imaging.errors import EmptyMaskError, FrameOfReferenceError, GridMismatchError, IngestError
from equipoise.imaging.geometry import AxisTransform, Grid
from equipoise.imaging.mask import Mask, encode_mask
from equipoise.imaging.polygons import mask_of_polygons
from equipoise.imaging.reading import mask_on_grid, read_mask
from equipoise.imaging.volume_files import is_volume_file, read_volume_header
from trials.domain import results as rules
from trials.domain.codes import algorithm_code
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.results import MaskFile, MaskFormat, Polygons, ResultIn, ResultTask
from trials.domain.states import TrialState
from trials.models import (
    AlgorithmResult,
    AlgorithmResultNote,
    AlgorithmVersion,
    Case,
    Contour,
    Participant,
    ParticipantKind,
    Trial,
)
from trials.selectors.protocol import protocol_current, protocol_locked, protocol_of_version
from trials.services.acts import Actor, record

STORED, UNCHANGED, REFUSED = "stored", "unchanged", "refused"
TAKES_RESULTS = frozenset(
    {TrialState.DRAFT, TrialState.LOCKED, TrialState.OPEN, TrialState.PAUSED, TrialState.CLOSED}
)
"""Nothing that enters an analysis comes in after data lock."""

_GZIP_MAGIC = b"\x1f\x8b"
_SUFFIXES = {MaskFormat.NRRD: ".nrrd", MaskFormat.METAIMAGE: ".mha", MaskFormat.DICOM: ".dcm"}


@dataclass(frozen=True)
class Sent:
    """One item of a request: a result, or why it could not even be read as one."""

    key: str | None
    case: str | None
    result: ResultIn | DomainError


@dataclass(frozen=True)
class ItemReport:
    """What became of one item."""

    index: int
    key: str | None
    case: str | None
    outcome: str
    id: UUID | None = None
    code: ErrorCode | None = None
    detail: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


def results_receive(trial: Trial, items: Iterable[Sent], *, actor: Actor) -> list[ItemReport]:
    """Store every item that can be stored and say of each what became of it.

    An item is stored whole or not at all and knows nothing of its neighbours. Call this outside a transaction: files
    are written.
    """
    protocol = _protocol(trial)
    return [_report(trial, protocol, index, item, actor=actor) for index, item in enumerate(items)]


def _protocol(trial: Trial) -> ProtocolV1:
    if trial.state != TrialState.DRAFT:
        return protocol_of_version(protocol_locked(trial))
    outcome = check_document(protocol_current(trial).document)
    if outcome.protocol is None:
        sentences = " ".join(problem.message for problem in outcome.problems)
        raise ValidationFailedError(f"The protocol must be mended before results are taken. {sentences}")
    return outcome.protocol


def _report(trial: Trial, protocol: ProtocolV1, index: int, item: Sent, *, actor: Actor) -> ItemReport:
    try:
        if isinstance(item.result, DomainError):
            raise item.result
        stored, outcome = _receive(trial, protocol, item.result, actor=actor)
    except DomainError as error:
        return ItemReport(
            index, item.key, item.case, REFUSED, code=error.code, detail=error.message, data=error.data
        )
    return ItemReport(index, item.key, item.case, outcome, id=stored.id)


def _receive(
    trial: Trial, protocol: ProtocolV1, result: ResultIn, *, actor: Actor
) -> tuple[AlgorithmResult, str]:
    rules.check_result(result)
    _require_state(trial, result.task)
    case = trial.cases.filter(code=result.case).first()
    if case is None:
        raise rules.ResultUnknownCaseError(f"The trial has no case {result.case}.")
    algorithm = _algorithm_of(protocol, result)
    volume = _volume_of(case)
    mask = _mask_of(result.contour, volume) if result.contour is not None else None
    prepared = _Prepared(result, case, algorithm, volume, mask)
    try:
        return _store(trial, prepared, actor=actor)
    except IntegrityError:
        # The same item, or the same mask, arrived through another request meanwhile: now it is there to be found.
        return _store(trial, prepared, actor=actor)


def _require_state(trial: Trial, task: ResultTask) -> None:
    if task == ResultTask.PREFERENCE and trial.state != TrialState.DRAFT:
        raise StateConflictError(
            f"Candidates of pairs come in while the trial is a draft; this one is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )
    if trial.state not in TAKES_RESULTS:
        raise StateConflictError(
            f"Results come in until data lock; this trial is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )


def _algorithm_of(protocol: ProtocolV1, result: ResultIn) -> Algorithm:
    """Return the protocol's entry for the model version; for a preference task it must be a candidate."""
    model = result.model
    named = [one for one in protocol.algorithms if (one.name, one.version) == (model.name, model.version)]
    fitting = [one for one in named if one.weights_sha256 in (None, model.weights_sha256)]
    if result.task == ResultTask.PREFERENCE:
        candidates = protocol.preference.candidates if protocol.preference is not None else None
        pair = (candidates.a, candidates.b) if candidates is not None else ()
        sources = {one.source for one in pair if one.kind == "algorithm"}
        fitting = [one for one in fitting if one.source in sources]
    if fitting:
        return fitting[0]
    what = "with other weights" if named else "not at all"
    wanted = (
        "as the algorithm of a candidate" if result.task == ResultTask.PREFERENCE else "among its algorithms"
    )
    raise rules.ResultUnknownModelError(
        f"The protocol names {model.name} {model.version} {what}; it must stand there, with these weights, {wanted}."
    )


# --- the contour ------------------------------------------------------------------------------------------------


def _volume_of(case: Case) -> StoredVolume:
    image = case.images.select_related("volume").first()
    if image is None:
        raise rules.ResultWrongGridError(f"Case {case.code} has no image that a result could lie on.")
    return image.volume


def _acquired_grid(volume: StoredVolume) -> Grid:
    """Return the voxels as the image was acquired: structure sets are drawn on those slices."""
    turned = volume.transform
    axes = tuple(int(axis) for axis in np.argsort(turned.axes_zyx))
    back = AxisTransform(
        (axes[0], axes[1], axes[2]),
        (turned.flips_zyx[axes[0]], turned.flips_zyx[axes[1]], turned.flips_zyx[axes[2]]),
    )
    return back.apply_to_grid(volume.grid)


def _mask_of(contour: MaskFile | Polygons, volume: StoredVolume) -> Mask:
    """Return the contour's voxels on the image as it is stored."""
    try:
        grid = _acquired_grid(volume)
        if isinstance(contour, Polygons):
            mask = mask_of_polygons(contour.points_mm, grid)
        else:
            mask = _mask_of_file(contour, grid)
        if not mask.array.any():
            raise rules.empty_mask_error()
        return mask_on_grid(mask, volume.grid)
    except EmptyMaskError as error:
        raise rules.empty_mask_error() from error
    except (GridMismatchError, FrameOfReferenceError) as error:
        raise rules.ResultWrongGridError(error.message) from error
    except IngestError as error:
        raise rules.ResultUnreadableMaskError(error.message) from error


def _mask_of_file(file: MaskFile, grid: Grid) -> Mask:
    content = file.read()
    if file.format == MaskFormat.NIFTI:
        suffix = ".nii.gz" if content.startswith(_GZIP_MAGIC) else ".nii"
    else:
        suffix = _SUFFIXES[file.format]
    with tempfile.TemporaryDirectory(prefix="equipoise-result-") as folder:
        path = Path(folder) / f"mask{suffix}"
        path.write_bytes(content)
        if is_volume_file(path):
            found = read_volume_header(path).grid
            if sorted(found.shape_zyx) != sorted(grid.shape_zyx):  # before any voxel is decoded
                raise GridMismatchError(f"The mask is not on the image's voxels: {grid.difference(found)}.")
        return read_mask(path, file.label, grid)


# --- storing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    result: ResultIn
    case: Case
    algorithm: Algorithm
    volume: StoredVolume
    mask: Mask | None


def _store(trial: Trial, prepared: _Prepared, *, actor: Actor) -> tuple[AlgorithmResult, str]:
    result = prepared.result
    content = rules.content_sha256(result, mask_sha256=_voxels_sha256(prepared.mask))
    earlier = _earlier(trial, result, content)
    if earlier is not None:
        return earlier, UNCHANGED
    stored = (
        mask_store(prepared.volume, prepared.mask, source=prepared.algorithm.source)
        if prepared.mask is not None
        else None
    )
    try:
        with transaction.atomic():
            return _store_rows(trial, prepared, stored, content, actor=actor)
    except BaseException:
        if stored is not None:
            _discard_unused(stored)
        raise


def _store_rows(
    trial: Trial, prepared: _Prepared, mask: StoredMask | None, content: str, *, actor: Actor
) -> tuple[AlgorithmResult, str]:
    result, case = prepared.result, prepared.case
    locked = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
    _require_state(locked, result.task)
    earlier = _earlier(locked, result, content)
    if earlier is not None:
        return earlier, UNCHANGED
    participant = _participant_of(locked, prepared, actor=actor)
    now = timezone.now()
    contour = None
    if mask is not None and result.task == ResultTask.PREFERENCE:
        contour, _ = Contour.objects.get_or_create(
            case=case,
            source=prepared.algorithm.source,
            defaults={"mask": mask, "voxel_count": mask.voxel_count, "created_at": now},
        )
        if contour.mask_id != mask.id:
            raise rules.ResultConflictError(
                f"Case {case.code} has another contour of this source already; the first one stands.",
                data={"case": case.code},
            )
    run = result.run
    row = AlgorithmResult.objects.create(
        trial=locked,
        participant=participant,
        case=case,
        task=result.task,
        repeat=result.repeat,
        key_sha256=rules.key_sha256(result.key),
        content_sha256=content,
        contour=contour,
        mask=mask,
        probability=result.probability,
        rating=result.rating,
        run_s=run.seconds if run is not None else None,
        cold_start_s=run.cold_start_seconds if run is not None else None,
        hardware=run.hardware if run is not None else "",
        device=run.device if run is not None else "",
        failure_code=result.failure.code if result.failure is not None else "",
        received_at=now,
    )
    if result.failure is not None and result.failure.detail:
        AlgorithmResultNote.objects.create(result=row, text=result.failure.detail)
    record(
        locked,
        AuditKind.RESULT_RECEIVED,
        actor=actor,
        subject=f"result:{row.id}",
        after={
            "case": case.code,
            "participant": participant.code,
            "task": str(result.task),
            "content_sha256": content,
            "contour": mask is not None,
            "failure": row.failure_code or None,
        },
    )
    return row, STORED


def _earlier(trial: Trial, result: ResultIn, content: str) -> AlgorithmResult | None:
    """Return the result if it is there with this very content; raise if something else is there in its place."""
    rows = AlgorithmResult.objects.filter(trial=trial)
    model = result.model
    by_key = rows.filter(key_sha256=rules.key_sha256(result.key)).first()
    by_place = rows.filter(
        participant__algorithm_version__name=model.name,
        participant__algorithm_version__version=model.version,
        participant__algorithm_version__weights_sha256=model.weights_sha256,
        case__code=result.case,
        task=result.task,
        repeat=result.repeat,
    ).first()
    for found, where in (
        (by_key, "under this key"),
        (by_place, f"for case {result.case} by this model version"),
    ):
        if found is not None and found.content_sha256 != content:
            raise rules.ResultConflictError(
                f"Another result was received {where}; the first one stands. A repeated run needs its own number.",
                data={"case": result.case},
            )
    return by_key or by_place


def _participant_of(trial: Trial, prepared: _Prepared, *, actor: Actor) -> Participant:
    """Return the participant that is this model version, entering it at its first result."""
    model = prepared.result.model
    known = (
        AlgorithmVersion.objects.select_related("participant")
        .filter(
            trial=trial,
            source=prepared.algorithm.source,
            name=model.name,
            version=model.version,
            weights_sha256=model.weights_sha256,
        )
        .first()
    )
    if known is not None:
        return known.participant
    algorithms = Participant.objects.filter(trial=trial, kind=ParticipantKind.ALGORITHM)
    participant = Participant.objects.create(
        trial=trial,
        code=algorithm_code(algorithms.count() + 1),
        kind=ParticipantKind.ALGORITHM,
        joined_at=timezone.now(),
    )
    AlgorithmVersion.objects.create(
        participant=participant,
        trial=trial,
        source=prepared.algorithm.source,
        name=model.name,
        version=model.version,
        weights_sha256=model.weights_sha256,
    )
    record(
        trial,
        AuditKind.PARTICIPANT_ADDED,
        actor=actor,
        subject=f"participant:{participant.id}",
        after={"code": participant.code, "kind": "algorithm", "weights_sha256": model.weights_sha256},
    )
    return participant


def _voxels_sha256(mask: Mask | None) -> str | None:
    return hashlib.sha256(encode_mask(mask)).hexdigest() if mask is not None else None


def _discard_unused(mask: StoredMask) -> None:
    """Take a mask away again whose result was not stored, unless something else uses it."""
    try:
        with transaction.atomic():
            mask.delete()
    except (ProtectedError, IntegrityError):
        return
    default_store().delete(mask.key)
