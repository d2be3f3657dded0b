"""What workers do for trials. Each handler loads by id and calls a service; its effect is written once."""

import uuid
from collections.abc import Mapping
from typing import Any

from equipoise.analysis.errors import AnalysisInputError
from equipoise.common.errors import DomainError
from equipoise.jobs.registry import JobContext, Outcome, job_handler
from trials.models import Analysis, AnalysisState
from trials.services import analysis as analysis_services
from trials.services import ingest as ingest_services


@job_handler("trials.analyse")
def analyse(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Compute one analysis."""
    analysis_id = uuid.UUID(payload["analysis_id"])
    Analysis.objects.filter(id=analysis_id).update(state=AnalysisState.RUNNING)
    analysis = Analysis.objects.select_related("trial").get(id=analysis_id)
    context.check_cancelled()
    try:
        computed = analysis_services.analysis_compute(analysis)
    except (AnalysisInputError, DomainError, ValueError) as error:
        analysis_services.analysis_fail(analysis_id, str(error))
        raise
    return Outcome(
        result={"analysis_id": str(analysis_id)},
        effect=lambda: analysis_services.analysis_store(analysis_id, computed),
    )


@job_handler("trials.ingest")
def ingest(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Take an uploaded folder into the trial's cases."""
    report = ingest_services.upload_ingest(uuid.UUID(payload["upload_id"]), payload, context)
    return Outcome(result=report)
