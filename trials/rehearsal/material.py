"""What a rehearsal needs and the trial does not have yet: phantom cases, and results of algorithms."""

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from django.utils import timezone
from scipy.special import ndtr, ndtri

from equipoise.archive.selectors import stored_mask
from equipoise.archive.services import patient_store
from equipoise.common.errors import ValidationFailedError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription, default_windows
from equipoise.simulation import (
    bone_scan_phantom,
    random_metastases,
    random_tumour,
    simulated_observer,
    stream,
    thorax_phantom,
)
from trials.domain.codes import case_code
from trials.domain.protocol.tasks import ContouringTask, ContourReviewTask, PreferenceTask
from trials.domain.protocol.v1 import Algorithm, ProtocolV1
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.results import ModelVersion, ResultIn, ResultTask, RunTime
from trials.models import (
    AlgorithmVersion,
    Case,
    CaseImage,
    CasePurpose,
    Contour,
    ReferenceStandard,
    ReferenceStatus,
    Trial,
)
from trials.rehearsal.contours import SKILL, drawn_after
from trials.rehearsal.phantoms import BONE_SCAN_MM
from trials.rehearsal.sandbox import Sandbox
from trials.selectors.reference import reference_of
from trials.services.results import STORED, Sent, results_receive

_CASES, _ALGORITHMS = 11, 12
"""Keys of the streams under the seed."""
_SHAPE_ZYX, _SPACING_MM = (44, 96, 96), (3.0, 4.0, 4.0)
_FEW_CASES = 8
"""Phantom cases where the protocol does not say how many there will be."""
_SIMULATED_WEIGHTS = hashlib.sha256(b"a simulated algorithm").hexdigest()
_SOURCE = "Simulation"


def phantoms_make(box: Sandbox, protocol: ProtocolV1, plan: RehearsalPlan, *, seed: int) -> int:
    """Give a copy without cases phantoms of the kind that its task reads; return how many its trial has."""
    count = cases_needed(protocol, plan, most=plan.material.cases)
    for number in range(count + protocol.practice.count):
        purpose = CasePurpose.TRIAL if number < count else CasePurpose.PRACTICE
        _phantom(box.trial, protocol, plan, number=number, purpose=purpose, seed=seed)
    return count


def cases_needed(protocol: ProtocolV1, plan: RehearsalPlan, *, most: int | None) -> int:
    """Return how many cases the protocol asks for; where it does not say, as many as the plan has."""
    items = protocol.items
    if items.unit == "slice":
        per_case = min(items.selection.max_per_case or math.inf, items.selection.max_per_case_and_expert)
        wanted = math.ceil(items.selection.count / per_case)
    else:
        wanted = (
            items.count or len(items.cases) or (plan.material.cases if items.unit == "scan" else _FEW_CASES)
        )
    return wanted if most is None else min(wanted, most)


def _phantom(
    trial: Trial, protocol: ProtocolV1, plan: RehearsalPlan, *, number: int, purpose: str, seed: int
) -> None:
    rng = stream(seed, _CASES, number)
    diseased = is_diseased(number, diseased_share(protocol, plan))
    masks: dict[str, Mask] = {}
    if protocol.items.unit == "scan":
        image = _scan(rng, diseased=diseased)
    else:
        image, masks = _volume(rng, _sources(protocol))
    key = hashlib.sha256(f"phantom {seed} {number}".encode()).hexdigest()
    stored = patient_store(image, masks, trial_id=trial.id, institute_id=trial.institute_id, patient_key=key)
    now = timezone.now()
    covariates = [
        *protocol.allocation.design.stratify_by,
        *protocol.items.strata,
        *filter(None, [protocol.items.selection.stratum]),
    ]
    case = Case.objects.create(
        trial=trial,
        code=case_code(number + 1),
        purpose=purpose,
        patient_key=key,
        pixel_sha256=stored.volume.pixel_hash,
        covariates=dict.fromkeys(covariates, "AB"[number // 2 % 2]),
        created_at=now,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    for source, mask in stored.masks.items():
        Contour.objects.create(
            case=case, source=source, mask=mask, voxel_count=mask.voxel_count, created_at=now
        )
    if protocol.items.unit == "scan":
        _reference(case, diseased=diseased)


def diseased_share(protocol: ProtocolV1, plan: RehearsalPlan) -> Fraction:
    """Return the share of diseased cases: the protocol's where its draw sets one, else the plan's."""
    percent = protocol.items.prevalence.sample_percent
    return Fraction(repr(plan.material.diseased_share)) if percent is None else Fraction(percent, 100)


def is_diseased(number: int, share: Fraction) -> bool:
    """Say whether the case of that number, from 0, is a diseased one: the share that was set, evenly spread."""
    return math.floor((number + 1) * share) > math.floor(number * share)


def references_simulate(box: Sandbox, protocol: ProtocolV1, plan: RehearsalPlan) -> int:
    """Give a truth to every case that will be decided upon and has none yet; return to how many."""
    if protocol.task is None or protocol.task.kind != "classification":
        return 0
    lacking = list(box.trial.cases.filter(reference_standards=None).order_by("code"))
    for number, case in enumerate(lacking):
        _reference(case, diseased=is_diseased(number, diseased_share(protocol, plan)))
    return len(lacking)


def _reference(case: Case, *, diseased: bool) -> None:
    now = timezone.now()
    ReferenceStandard.objects.create(
        case=case,
        version=1,
        truth=int(diseased),
        status=ReferenceStatus.FINAL,
        source=_SOURCE,
        established_on=now.date(),
        labellers=_SOURCE,
        imported_at=now,
    )


def _sources(protocol: ProtocolV1) -> list[str]:
    """Return whose contours the task needs of every case."""
    task = protocol.task
    if isinstance(task, PreferenceTask) and task.candidates is not None:
        return [task.candidates.a.source, task.candidates.b.source]
    if isinstance(task, ContourReviewTask):
        return [one.source for one in task.candidates]
    if isinstance(task, ContouringTask) and task.reference is not None:
        return [task.reference]
    return []


def _volume(rng: np.random.Generator, sources: Sequence[str]) -> tuple[ImageVolume, dict[str, Mask]]:
    grid = Grid(_SHAPE_ZYX, _SPACING_MM)
    phantom = thorax_phantom(rng, shape=_SHAPE_ZYX, spacing_mm=_SPACING_MM, tumour=random_tumour(rng))
    tumour = phantom.masks["tumour"]
    masks = {
        source: Mask(simulated_observer(tumour, _SPACING_MM, observer, skill=SKILL), grid)
        for source, observer in zip(sources, rng.spawn(len(sources)), strict=True)
    }
    return ImageVolume(array=phantom.image, grid=grid), masks


def _scan(rng: np.random.Generator, *, diseased: bool) -> ImageVolume:
    phantom = bone_scan_phantom(
        rng, metastases=random_metastases(rng) if diseased else 0, degeneration=float(rng.uniform(0.3, 1.6))
    )
    views = np.stack([phantom.anterior, phantom.posterior]).astype(np.int16)
    return ImageVolume(
        array=views,
        grid=Grid((2, *views.shape[1:]), (1.0, *BONE_SCAN_MM)),
        modality="NM",
        windows=default_windows(views, modality="NM"),
        description=SeriesDescription(views=("anterior", "posterior")),
    )


# --- algorithms -------------------------------------------------------------------------------------------------

_RESULT_TASKS = {"classification": ResultTask.CLASSIFICATION, "contouring": ResultTask.CONTOURING}
"""Tasks in which an algorithm's results stand beside the readers'; those of pairs and reviews are their contours."""


def algorithms_simulate(box: Sandbox, protocol: ProtocolV1, plan: RehearsalPlan, *, seed: int) -> list[str]:
    """Send results of every algorithm, by the door that real ones take; return whose were sent.

    The copy has none of the trial's own: they are an outcome, and nobody sees outcomes before data lock.
    """
    trial, task = box.trial, _RESULT_TASKS.get(protocol.task.kind if protocol.task is not None else "")
    if task is None:
        return []
    sent = []
    for number, algorithm in enumerate(protocol.algorithms):
        model = _model(trial, algorithm)
        results = [
            _result(case, algorithm, model, task, protocol, plan, stream(seed, _ALGORITHMS, number, place))
            for place, case in enumerate(trial.cases.order_by("code"))
        ]
        given = [Sent(key=one.key, case=one.case, result=one) for one in results if one is not None]
        reports = results_receive(trial, given, actor=box.actor)
        refused = next((report for report in reports if report.outcome != STORED), None)
        if refused is not None:
            raise ValidationFailedError(f"A result of {algorithm.source} was refused: {refused.detail}")
        sent.append(algorithm.source)
    return sent


def _model(trial: Trial, algorithm: Algorithm) -> ModelVersion:
    """Return the model version that the trial knows already, so that no second one stands beside it."""
    known = AlgorithmVersion.objects.filter(
        trial=trial, source=algorithm.source, name=algorithm.name, version=algorithm.version
    )
    weights = known.order_by("participant__code").values_list("weights_sha256", flat=True).first()
    return ModelVersion(
        name=algorithm.name,
        version=algorithm.version,
        weights_sha256=algorithm.weights_sha256 or weights or _SIMULATED_WEIGHTS,
    )


def _result(
    case: Case,
    algorithm: Algorithm,
    model: ModelVersion,
    task: ResultTask,
    protocol: ProtocolV1,
    plan: RehearsalPlan,
    rng: np.random.Generator,
) -> ResultIn | None:
    contour, probability = None, None
    if task is ResultTask.CONTOURING:
        contour = _outline(case, protocol, rng)
        if contour is None:
            return None
    else:
        reference = reference_of(case)
        truth = reference.truth if reference is not None and reference.truth is not None else 0
        distance = math.sqrt(2.0) * float(ndtri(plan.classification.auc_algorithm))
        probability = float(ndtr((truth - 0.5) * distance + rng.standard_normal()))
    return ResultIn(
        key=f"rehearsal {algorithm.source} {case.code}",
        case=case.code,
        model=model,
        task=task,
        contour=contour,
        probability=probability,
        run=RunTime(seconds=float(rng.lognormal(0.5, 0.2)), device="simulated"),
    )


def _outline(case: Case, protocol: ProtocolV1, rng: np.random.Generator) -> Mask | None:
    """Return the algorithm's outline: the reference contour as another observer would have drawn it."""
    task = protocol.task
    reference = task.reference if isinstance(task, ContouringTask) else None
    known = case.contours.filter(source=reference).select_related("mask").first()
    if known is None:
        return None
    return drawn_after(stored_mask(known.mask), rng)
