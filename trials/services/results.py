"""Results of algorithms come in: each item whole or not at all, with a report for each, sent twice stored once."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from numpy.typing import NDArray

from equipoise.archive.models import StoredHeatMap, StoredMask, StoredVolume
from equipoise.archive.services import heat_map_store, mask_store
from equipoise.archive.storage import default_store
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import DomainError, ErrorCode, StateConflictError, ValidationFailedError
from equipoise.imaging.errors import EmptyMaskError, FrameOfReferenceError, GridMismatchError, IngestError
from equipoise.imaging.geometry import AxisTransform, Grid, reorder_to
from equipoise.imaging.heat_map import array_of_npy, array_of_raw, heat_levels, levels_sha256
from equipoise.imaging.mask import Mask, encode_mask
from equipoise.imaging.polygons import mask_of_polygons
from equipoise.imaging.reading import mask_on_grid, read_mask
from equipoise.imaging.volume_files import is_volume_file, load_values, read_volume_header
from trials.domain import results as rules
from trials.domain.codes import algorithm_code
from trials.domain.protocol.document import check_document
from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.results import (
    HeatFile,
    HeatFormat,
    HeatMapIn,
    MaskFile,
    MaskFormat,
    ModelVersion,
    Polygons,
    ResultIn,
    ResultTask,
)
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import TrialState
from trials.models import (
    AlgorithmCaseUse,
    AlgorithmHeatMap,
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
    protocol = protocol_in_force(trial)
    return [_report(trial, protocol, index, item, actor=actor) for index, item in enumerate(items)]


def protocol_in_force(trial: Trial) -> ProtocolV1:
    """Return the locked protocol, or a draft's as it stands if it can be read."""
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
    prepared = _prepare(trial, protocol, result)
    try:
        return _store(trial, prepared, actor=actor)
    except IntegrityError:
        # The same item, or the same mask, arrived through another request meanwhile: now it is there to be found.
        return _store(trial, prepared, actor=actor)


def _prepare(trial: Trial, protocol: ProtocolV1, result: ResultIn) -> "_Prepared":
    rules.check_result(result)
    require_takes_results(trial, result.task)
    case = trial.cases.filter(code=result.case).first()
    if case is None:
        raise rules.ResultUnknownCaseError(f"The trial has no case {result.case}.")
    algorithm = algorithm_of(protocol, result.model, result.task)
    volume = _volume_of(case)
    mask = _mask_of(result.contour, volume) if result.contour is not None else None
    heat = _levels_of(result.heat_map, volume) if result.heat_map is not None else None
    return _Prepared(result, case, algorithm, volume, mask, heat)


class ResultInHand:
    """A result whose files are stored and whose rows are not: for a worker that writes them as its item ends.

    With ``started`` (``time.perf_counter``) the run's seconds last from there until the files are stored.
    """

    def __init__(self, trial: Trial, result: ResultIn, *, actor: Actor, started: float | None = None) -> None:
        self._trial, self._actor = trial, actor
        prepared = _prepare(trial, protocol_in_force(trial), result)
        self._files = _write_files(prepared)
        if started is not None and result.run is not None:
            timed = replace(result.run, seconds=perf_counter() - started)
            prepared = replace(prepared, result=replace(result, run=timed))
        self._prepared = prepared
        self._content = _content_of(prepared)

    def store(self) -> None:
        """Write the rows, inside the caller's transaction."""
        _store_rows(self._trial, self._prepared, self._files, self._content, actor=self._actor)

    def discard(self) -> None:
        """Take the files away again unless something else uses them."""
        self._files.discard()


def require_takes_results(trial: Trial, task: ResultTask) -> None:
    """Refuse results that the trial's state does not take (any more)."""
    if task == ResultTask.PREFERENCE and trial.state != TrialState.DRAFT:
        raise StateConflictError(
            f"Candidates of pairs come in while the trial is a draft; this one is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )
    if not is_open_to(trial.state, StateAct.RESULT):
        raise StateConflictError(
            f"Results come in until data lock; this trial is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )


def algorithm_of(protocol: ProtocolV1, model: ModelVersion, task: ResultTask) -> Algorithm:
    """Return the protocol's entry for the model version; for a preference task it must be a candidate."""
    named = [one for one in protocol.algorithms if (one.name, one.version) == (model.name, model.version)]
    fitting = [one for one in named if one.weights_sha256 in (None, model.weights_sha256)]
    if task == ResultTask.PREFERENCE:
        sources = candidate_sources(protocol)
        fitting = [one for one in fitting if one.source in sources]
    if fitting:
        return fitting[0]
    what = "with other weights" if named else "not at all"
    wanted = "as the algorithm of a candidate" if task == ResultTask.PREFERENCE else "among its algorithms"
    raise rules.ResultUnknownModelError(
        f"The protocol names {model.name} {model.version} {what}; it must stand there, with these weights, {wanted}."
    )


def candidate_sources(protocol: ProtocolV1) -> frozenset[str]:
    """Return the sources of the algorithms whose contours are shown in pairs."""
    candidates = protocol.preference.candidates if protocol.preference is not None else None
    pair = (candidates.a, candidates.b) if candidates is not None else ()
    return frozenset(one.source for one in pair if one.kind == "algorithm")


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


def _mask_of(contour: MaskFile | Polygons | Mask, volume: StoredVolume) -> Mask:
    """Return the contour's voxels on the image as it is stored."""
    try:
        grid = _acquired_grid(volume)
        if isinstance(contour, Mask):
            mask = contour
        elif isinstance(contour, Polygons):
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
    with _as_file(file.read(), MaskFormat(file.format), name="mask") as path:
        if is_volume_file(path):
            found = read_volume_header(path).grid
            if sorted(found.shape_zyx) != sorted(grid.shape_zyx):  # before any voxel is decoded
                raise GridMismatchError(f"The mask is not on the image's voxels: {grid.difference(found)}.")
        return read_mask(path, file.label, grid)


@contextmanager
def _as_file(content: bytes, format_: MaskFormat, *, name: str) -> Iterator[Path]:
    """Put what was sent into a file of a name that readers know."""
    if format_ == MaskFormat.NIFTI:
        suffix = ".nii.gz" if content.startswith(_GZIP_MAGIC) else ".nii"
    else:
        suffix = _SUFFIXES[format_]
    with tempfile.TemporaryDirectory(prefix="equipoise-result-") as folder:
        path = Path(folder) / f"{name}{suffix}"
        path.write_bytes(content)
        yield path


# --- the heat map -----------------------------------------------------------------------------------------------

_PLAIN = frozenset({HeatFormat.NPY, HeatFormat.RAW})
"""Formats without a place in the patient."""


def _levels_of(heat: HeatMapIn, volume: StoredVolume) -> NDArray[np.uint8]:
    """Return the heat map's levels on the image as it is stored."""
    try:
        if isinstance(heat.content, HeatFile) and heat.content.format not in _PLAIN:
            values = _placed_values(heat.content, volume)
        else:
            values = _plain_values(heat.content, volume)
    except IngestError as error:
        raise rules.ResultUnreadableHeatMapError(error.message, data={"field": "/heat_map"}) from error
    rules.check_heat_values(values)
    return heat_levels(values)


def _plain_values(heat: HeatFile | NDArray[Any], volume: StoredVolume) -> NDArray[Any]:
    """Return the values of an array without a place: its axes are the stored image's."""
    if not isinstance(heat, HeatFile):
        values = heat
    elif heat.format == HeatFormat.NPY:
        values = array_of_npy(heat.read())
    else:
        values = array_of_raw(heat.read(), shape=heat.shape, dtype=heat.dtype)
    if values.ndim == 2 and volume.frame_count == 1:
        values = values[np.newaxis]
    if values.shape != volume.shape_zyx:
        raise _heat_elsewhere(f"it has the shape {values.shape}, the image {volume.shape_zyx}")
    return values


def _placed_values(heat: HeatFile, volume: StoredVolume) -> NDArray[Any]:
    """Return the values of a file on the image's voxels; views have no place, so there the shape alone counts."""
    with _as_file(heat.read(), MaskFormat(heat.format.value), name="heat-map") as path:
        file = read_volume_header(path)
        wanted, found = volume.shape_zyx, file.grid.shape_zyx
        is_planar = bool(volume.series_description.views)
        if found != wanted and (is_planar or sorted(found) != sorted(wanted)):
            raise _heat_elsewhere(f"it has the shape {found}, the image {wanted}")
        values = load_values(file)
    if is_planar:
        return values
    placed = reorder_to(values, file.grid, volume.grid)
    if placed is None:
        raise _heat_elsewhere(volume.grid.difference(file.grid))
    return np.ascontiguousarray(placed)


def _heat_elsewhere(difference: str) -> rules.ResultWrongGridError:
    return rules.ResultWrongGridError(
        f"The heat map is not on the voxels of the case's image: {difference}. Resample it before sending.",
        data={"field": "/heat_map"},
    )


# --- storing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Prepared:
    result: ResultIn
    case: Case
    algorithm: Algorithm
    volume: StoredVolume
    mask: Mask | None
    heat: NDArray[np.uint8] | None


def _store(trial: Trial, prepared: _Prepared, *, actor: Actor) -> tuple[AlgorithmResult, str]:
    result = prepared.result
    content = _content_of(prepared)
    earlier = _earlier(trial, result, content)
    if earlier is not None:
        with transaction.atomic():
            _note_use(earlier.participant, prepared.case, result, actor=actor)
        return earlier, UNCHANGED
    files = _write_files(prepared)
    try:
        with transaction.atomic():
            return _store_rows(trial, prepared, files, content, actor=actor)
    except BaseException:
        files.discard()
        raise


def _content_of(prepared: _Prepared) -> str:
    return rules.content_sha256(
        prepared.result,
        mask_sha256=_voxels_sha256(prepared.mask),
        heat_sha256=levels_sha256(prepared.heat) if prepared.heat is not None else None,
    )


@dataclass
class _Files:
    """What was written to the store for a result."""

    mask: StoredMask | None = None
    heat: StoredHeatMap | None = None

    def discard(self) -> None:
        """Take them away again unless something else uses them."""
        for stored in (self.mask, self.heat):
            if stored is not None:
                _discard_unused(stored)


def _write_files(prepared: _Prepared) -> _Files:
    files = _Files()
    try:
        if prepared.mask is not None:
            files.mask = mask_store(prepared.volume, prepared.mask, source=prepared.algorithm.source)
        if prepared.heat is not None:
            files.heat = heat_map_store(prepared.volume, prepared.heat)
    except BaseException:
        files.discard()
        raise
    return files


def _store_rows(
    trial: Trial, prepared: _Prepared, files: _Files, content: str, *, actor: Actor
) -> tuple[AlgorithmResult, str]:
    mask = files.mask
    result, case = prepared.result, prepared.case
    locked = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
    require_takes_results(locked, result.task)
    earlier = _earlier(locked, result, content)
    if earlier is not None:
        return earlier, UNCHANGED
    participant = participant_of(locked, prepared.algorithm, result.model, actor=actor)
    _note_use(participant, case, result, actor=actor)
    now = timezone.now()
    contour = None
    if mask is not None and result.task == ResultTask.PREFERENCE and result.repeat == 1:
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
        attempt=result.attempt,
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
    if files.heat is not None and result.heat_map is not None:
        AlgorithmHeatMap.objects.create(
            result=row,
            stored=files.heat,
            method=result.heat_map.method,
            layer=result.heat_map.layer,
            target_class=result.heat_map.target_class,
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
            **({"heat_map": files.heat.levels_sha256} if files.heat is not None else {}),
            "failure": row.failure_code or None,
        },
    )
    return row, STORED


def _note_use(participant: Participant, case: Case, result: ResultIn, *, actor: Actor) -> None:
    """Keep whether the case was used to make the model; what was said first stands."""
    if result.used_in_training is None:
        return
    noted, created = AlgorithmCaseUse.objects.get_or_create(
        participant=participant, case=case, defaults={"used_in_training": result.used_in_training}
    )
    if noted.used_in_training != result.used_in_training:
        raise rules.ResultConflictError(
            f"Case {case.code} is noted as used_in_training {noted.used_in_training!r} for this model version; "
            f"this result says {result.used_in_training.value!r}.",
            data={"case": case.code, "field": "/used_in_training"},
        )
    if created:
        record(
            participant.trial,
            AuditKind.PARTICIPANT_UPDATED,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"case": case.code, "used_in_training": noted.used_in_training},
        )


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
        attempt=result.attempt,
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


def participant_of(trial: Trial, algorithm: Algorithm, model: ModelVersion, *, actor: Actor) -> Participant:
    """Return the participant that is this model version, entering it at its first mention.

    Call it inside a transaction that holds the trial's row.
    """
    known = (
        AlgorithmVersion.objects.select_related("participant")
        .filter(
            trial=trial,
            source=algorithm.source,
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
        source=algorithm.source,
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


def _discard_unused(stored: StoredMask | StoredHeatMap) -> None:
    """Take a mask or heat map away again whose result was not stored, unless something else uses it."""
    try:
        with transaction.atomic():
            stored.delete()
    except (ProtectedError, IntegrityError):
        return
    default_store().delete(stored.key)
