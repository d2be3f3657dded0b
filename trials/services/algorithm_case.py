"""One case through one enrolled model version, in a worker: read, run, keep the files; rows follow as the item ends.

The network's library is loaded here and nowhere else, when the first case is done, after the worker has forked. One
model is kept per process, and no more than one volume is in memory.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.conf import settings

from equipoise.archive.models import StoredVolume
from equipoise.archive.selectors import stored_volume_image
from equipoise.archive.storage import StoredFileDamagedError
from equipoise.common.errors import DomainError, ErrorCode
from equipoise.inference.cards import PIPELINES
from equipoise.inference.errors import InferenceError
from equipoise.jobs.registry import ClaimLostError, JobCancelledError, RetryLaterError
from trials.domain.results import (
    Failure,
    FailureCode,
    HeatMapIn,
    ModelVersion,
    ResultIn,
    ResultTask,
    RunTime,
)
from trials.models import AlgorithmPipeline, AlgorithmResult, AlgorithmRun, AlgorithmVersion, Case
from trials.selectors.weights import runtime_missing, weights_of
from trials.services.acts import Actor
from trials.services.results import ResultInHand

if TYPE_CHECKING:
    from equipoise.inference.runtime import Runtime

logger = logging.getLogger("equipoise.algorithms")

FIRST_LESION = "GTV-1"
"""The lesion that is the pipeline's answer; further ones are described, not stored."""


_MAX_DETAIL = 500


class CaseFailedError(DomainError):
    """The algorithm gave no answer for a case; the reason stands with the result."""

    code = ErrorCode.JOB_FAILED


@dataclass(frozen=True)
class Found:
    """What a pipeline answered for one image."""

    mask: Any = None
    probability: float | None = None
    heat_map: HeatMapIn | None = None
    failure: Failure | None = None
    hardware: dict[str, Any] = field(default_factory=dict)
    cold_start_s: float | None = None


def case_result(
    run: AlgorithmRun, case: Case, *, actor: Actor, check: Callable[[], None]
) -> tuple[ResultInHand, Failure | None] | None:
    """Run one case and keep its files; None if its result is there already.

    Parameters
    ----------
    check : callable
        Called between steps; raises where the work is to stop.

    Raises
    ------
    DomainError
        If the result is not taken: the model changed, or the trial takes no results any more.
    """
    attempt = _next_attempt(run, case)
    if attempt is None:
        return None
    version = AlgorithmVersion.objects.get(participant_id=run.participant_id)
    enrolled = AlgorithmPipeline.objects.get(participant_id=run.participant_id)
    runtime = _runtime(version.weights_sha256, enrolled.pipeline)
    check()
    started = perf_counter()
    found = _found(case, runtime, enrolled.pipeline, check=check)
    check()
    result = ResultIn(
        key=f"run:{run.id}:{case.code}:{attempt}",
        case=case.code,
        model=ModelVersion(version.name, version.version, version.weights_sha256),
        task=ResultTask(run.task),
        repeat=run.repeat,
        attempt=attempt,
        contour=found.mask,
        probability=found.probability,
        heat_map=found.heat_map,
        run=RunTime(
            0.0, hardware_words(runtime.hardware()), runtime.hardware()["kind"], runtime.load_seconds
        ),
        failure=found.failure,
    )
    return ResultInHand(run.trial, result, actor=actor, started=started), found.failure


def failure_result(run: AlgorithmRun, case: Case, failure: Failure, *, actor: Actor) -> ResultInHand | None:
    """Return a failure of a case that could not even be run to its end; None if a result is there."""
    attempt = _next_attempt(run, case)
    if attempt is None:
        return None
    version = AlgorithmVersion.objects.get(participant_id=run.participant_id)
    return ResultInHand(
        run.trial,
        ResultIn(
            key=f"run:{run.id}:{case.code}:{attempt}",
            case=case.code,
            model=ModelVersion(version.name, version.version, version.weights_sha256),
            task=ResultTask(run.task),
            repeat=run.repeat,
            attempt=attempt,
            failure=failure,
        ),
        actor=actor,
    )


def _next_attempt(run: AlgorithmRun, case: Case) -> int | None:
    last = (
        AlgorithmResult.objects.filter(
            participant_id=run.participant_id, case=case, task=run.task, repeat=run.repeat
        )
        .order_by("-attempt")
        .first()
    )
    if last is None:
        return 1
    return last.attempt + 1 if last.failure_code else None


def hardware_words(facts: dict[str, Any]) -> str:
    """Return what a result says about the machine it was made on."""
    return f"{facts['device']}, {facts['threads']} threads, {facts['precision']}, {facts['runtime']}"[:120]


def _runtime(sha256: str, pipeline: str) -> "Runtime":
    missing = runtime_missing()
    if missing is not None:
        raise missing
    weights = weights_of(sha256)
    if weights is None or PIPELINES.get(pipeline) != weights.card.architecture:
        raise CaseFailedError(f"This worker has no weights {sha256[:12]}... for the pipeline {pipeline}.")
    return _loaded(weights.path, sha256)


@lru_cache(maxsize=1)
def _loaded(path: Path, sha256: str) -> "Runtime":
    from equipoise.inference.runtime import Runtime

    # One number format on every machine: bf16 where a processor has it would change probabilities.
    threads = min(settings.THREADS, os.cpu_count() or 1)
    runtime = Runtime.load(path, precision="fp32", threads=threads)
    if runtime.card.sha256 != sha256:  # the file was exchanged since it was listed
        raise CaseFailedError(f"{path.name} no longer holds the weights {sha256[:12]}....")
    return runtime


def _found(case: Case, runtime: "Runtime", pipeline: str, *, check: Callable[[], None]) -> Found:
    """Return what the pipeline says; what keeps it from an answer becomes a failure with its reason."""
    try:
        volume = _volume_of(case)
        if pipeline == "bone-scan":
            return _classified(volume, runtime)
        return _segmented(volume, runtime, pipeline, check=check)
    except (JobCancelledError, ClaimLostError, RetryLaterError):
        raise
    except DomainError as error:
        return Found(failure=Failure(FailureCode.INPUT_NOT_SUPPORTED, error.message[:_MAX_DETAIL]))
    except MemoryError:
        return Found(
            failure=Failure(FailureCode.OUT_OF_MEMORY, "The image does not fit the worker's memory.")
        )
    except Exception as error:  # one case must not stop the others; it is a failure of the algorithm
        logger.exception("An algorithm failed unexpectedly.", extra={"case": case.code, "pipeline": pipeline})
        words = f"The pipeline stopped with an unexpected error ({type(error).__name__}); the worker's log has more."
        return Found(failure=Failure(FailureCode.CRASHED, words))


def _volume_of(case: Case) -> StoredVolume:
    image = case.images.select_related("volume").first()
    if image is None:
        raise InferenceError(f"Case {case.code} has no image.")
    return image.volume


def _image(volume: StoredVolume) -> Any:
    try:
        return stored_volume_image(volume)
    except (StoredFileDamagedError, ValueError, OSError) as error:
        raise InferenceError(
            "The stored image is damaged; `equipoise archive verify` names the file."
        ) from error


def _segmented(
    volume: StoredVolume, runtime: "Runtime", pipeline: str, *, check: Callable[[], None]
) -> Found:
    from equipoise.inference.run import run_segmentation

    image = _image(volume)
    check()
    result = run_segmentation(image, runtime, pipeline=pipeline, before_slice=check)
    lesion = result.lesions.get(FIRST_LESION)
    if lesion is None or not lesion.array.any():
        words = " ".join(remark["sentence"] for remark in result.report["warnings"])
        return Found(failure=Failure(FailureCode.EMPTY_RESULT, words[:_MAX_DETAIL]))
    detected = result.report["detection"]
    return Found(mask=lesion, probability=max(side["probability"] for side in detected.values()))


def _classified(volume: StoredVolume, runtime: "Runtime") -> Found:
    from equipoise.inference.run import CLASSES, run_classification

    result = run_classification(_image(volume), runtime)
    made = result.report["heat_map"]
    return Found(
        probability=result.report["probabilities"][CLASSES[1]],
        heat_map=HeatMapIn(result.heat, made["method"], made["layer"], made["class"]),
    )
