"""Material comes in: folders into cases, contours and a report per file."""

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.ingest import (
    ForbiddenPatients,
    IngestedPatient,
    IngestOutcome,
    ReviewReason,
    ingest_folder,
)
from equipoise.archive.models import IngestRun
from equipoise.archive.roi_rules import RoiRule, RuleScope
from equipoise.archive.services import ingest_logs_delete
from equipoise.archive.storage import incoming_folder
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import chain_of, entry_append
from equipoise.common.errors import DomainError, ErrorCode, NotFoundError, StateConflictError, TooLargeError
from equipoise.common.ids import new_id
from equipoise.imaging.errors import RoiAmbiguousError, SeveralSeriesError
from equipoise.jobs.models import Job
from equipoise.jobs.registry import JobContext
from equipoise.jobs.services import job_create
from trials.domain.codes import case_code
from trials.domain.state_acts import StateAct, is_open_to
from trials.models import Case, CaseImage, CasePurpose, Contour, Trial, Upload
from trials.selectors.protocol import protocol_deidentification
from trials.services.acts import Actor, record

MAX_UPLOAD_BYTES = 20 * 1024**3
MAX_UPLOAD_FILES = 20_000
MAX_PATH_CHARACTERS = 400


class UnsafePathError(DomainError):
    """A file name that leads out of its folder."""

    code = ErrorCode.INGEST_ARCHIVE_UNSAFE
    http_status = 422


@dataclass(frozen=True)
class CaseReport:
    """What an ingest did to one case."""

    code: str
    is_new: bool
    contours: tuple[str, ...]


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did: file by file, and case by case."""

    outcome: IngestOutcome
    cases: tuple[CaseReport, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """Every refusal of a patient, in words."""
        return tuple(problem.sentence for problem in self.outcome.problems)


def require_draft(trial: Trial) -> None:
    """Refuse unless cases may still come in."""
    if not is_open_to(trial.state, StateAct.INGEST):
        raise StateConflictError(
            f"Cases come in while the trial is a draft; this one is {trial.state}.",
            data={"state": trial.state, "allowed": []},
        )


def trial_policy(trial: Trial) -> DeidentificationPolicy:
    """Return what of a header may outlive ingestion into this trial."""
    chosen = protocol_deidentification(trial)
    return DeidentificationPolicy(
        patient_secret=bytes(trial.patient_key_secret),
        keep_kernel=chosen.kernel,
        keep_device=chosen.device,
        keep_patient_characteristics=chosen.patient_characteristics,
        clean_descriptors=chosen.descriptors == "clean",
        shift_dates=chosen.dates == "shift",
        keep_originals=chosen.originals == "deidentified_files",
        refuse_burned_in=chosen.burned_in == "refuse",
    )


def trial_ingest_folder(
    trial: Trial,
    folder: Path,
    *,
    rules: Sequence[RoiRule],
    purpose: CasePurpose,
    actor: Actor,
    progress: Callable[[int, int], None] | None = None,
) -> IngestReport:
    """Read a folder into the trial's cases. The good part goes in, the bad part is listed; files are never trusted."""
    require_draft(trial)
    others = trial.cases.exclude(purpose=purpose)
    cases: list[CaseReport] = []
    outcome = ingest_folder(
        trial_id=trial.id,
        institute_id=trial.institute_id,
        folder=folder,
        policy=trial_policy(trial),
        roi_rules=rules,
        progress=progress,
        attach=lambda patient: cases.append(_case_ingest(trial, patient, purpose=purpose, actor=actor)),
        forbidden=ForbiddenPatients(
            patient_keys=frozenset(others.values_list("patient_key", flat=True)),
            pixel_hashes=frozenset(others.values_list("pixel_sha256", flat=True)),
        ),
    )
    return IngestReport(outcome=outcome, cases=tuple(cases))


def _case_ingest(trial: Trial, patient: IngestedPatient, *, purpose: CasePurpose, actor: Actor) -> CaseReport:
    """Make or complete the case of one patient, in the transaction that stores their image."""
    # An ingest may take long: the trial may have been locked meanwhile, and another ingest may number cases.
    require_draft(Trial.objects.select_for_update(no_key=True).get(id=trial.id))
    case = trial.cases.filter(patient_key=patient.patient_key).first()
    is_new = case is None
    if case is None:
        case = Case.objects.create(
            trial=trial,
            code=case_code(trial.cases.count() + 1),
            purpose=purpose,
            patient_key=patient.patient_key,
            pixel_sha256=patient.volume.pixel_hash,
            flags=[reason.value for reason in patient.to_review],
            created_at=timezone.now(),
        )
    known = case.images.first()
    if known is not None and known.volume_id != patient.volume.id:
        raise SeveralSeriesError(
            f"Case {case.code} has an image already; a second image of the same patient is not taken."
        )
    CaseImage.objects.get_or_create(case=case, volume=patient.volume)
    added = []
    for source, mask in patient.masks.items():
        contour, created = Contour.objects.get_or_create(
            case=case,
            source=source,
            defaults={"mask": mask, "voxel_count": mask.voxel_count, "created_at": timezone.now()},
        )
        if contour.mask_id != mask.id:
            raise RoiAmbiguousError(
                f"Case {case.code} has another contour of '{source}' already; one that is sent again replaces none."
            )
        if created:
            added.append(source)
    if is_new or added:
        record(
            trial,
            AuditKind.CASE_INGESTED,
            actor=actor,
            subject=f"case:{case.id}",
            after={"code": case.code, "new": is_new, "contours": len(added)},
        )
    return CaseReport(code=case.code, is_new=is_new, contours=tuple(added))


class PatientRefusedError(DomainError):
    """A patient of whom nothing was taken; the code is that of the reason."""

    def __init__(self, code: ErrorCode, advice: str) -> None:
        super().__init__(advice)
        self.code = code  # type: ignore[misc] # of this one error, not of a family


def require_taken(report: IngestReport) -> None:
    """Refuse an ingest of one patient that took nothing, in words that name nobody."""
    if not report.cases and report.outcome.problems:
        problem = report.outcome.problems[0]
        raise PatientRefusedError(problem.code, problem.advice)


@transaction.atomic
def case_pixels_reviewed(case: Case, *, actor: Actor, reason: str) -> Case:
    """Record that somebody looked at an image that may show who the patient is, and found that it does not."""
    case = Case.objects.select_for_update(no_key=True).get(id=case.id)
    waiting = {one.value for one in ReviewReason}
    flags = [flag for flag in case.flags if flag not in waiting]
    if flags == case.flags:
        raise StateConflictError(
            f"Case {case.code} does not wait to be looked at.", data={"state": "reviewed", "allowed": []}
        )
    before, case.flags = case.flags, flags
    case.save(update_fields=["flags"])
    record(
        case.trial,
        AuditKind.CASE_UPDATED,
        actor=actor,
        subject=f"case:{case.id}",
        before={"flags": before},
        after={"flags": flags},
        reason=reason,
    )
    return case


@transaction.atomic
def trial_ingest_logs_delete(run: IngestRun, *, actor: Actor, reason: str = "") -> int:
    """Delete what may identify people of a run: its log with file names and its list of what was removed.

    The entry goes to the chain of the run's trial, which outlives the trial.
    """
    count = ingest_logs_delete(run)
    entry_append(
        chain=chain_of(run.trial_id),
        kind=AuditKind.INGEST_LOGS_DELETED,
        actor_id=actor.account_id,
        origin=actor.origin,
        subject=f"ingest:{run.id}",
        after={"files": count},
        reason=reason,
    )
    return count


def report_document(report: IngestReport) -> dict[str, Any]:
    """Return a report without file names, as a job's result keeps it."""
    run = report.outcome.run
    return {
        "run_id": str(run.id),
        "used": run.used,
        "ignored": run.ignored,
        "failed": run.failed,
        "cases": [
            {
                "code": one.code,
                "new": one.is_new,
                "contours": list(one.contours),
            }
            for one in report.cases
        ],
        "problems": [
            {"code": problem.code.value, "message": problem.advice} for problem in report.outcome.problems
        ],
    }


# --- through the browser ----------------------------------------------------------------------------------------


def upload_create(trial: Trial, *, actor: Actor) -> Upload:
    """Begin an upload."""
    require_draft(trial)
    if actor.account_id is None:
        raise NotFoundError("Only somebody signed in can upload.")
    return Upload.objects.create(trial=trial, created_by_id=actor.account_id, created_at=timezone.now())


def upload_folder(upload: Upload) -> Path:
    """Return where the upload's files wait."""
    return incoming_folder() / f"upload-{upload.id}"


def safe_relative_path(name: str) -> Path:
    """Return the path inside the upload's folder, or refuse one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    unsafe = path.is_absolute() or ".." in path.parts or not path.parts or "\x00" in name
    if unsafe or len(name) > MAX_PATH_CHARACTERS or any(part.endswith(":") for part in path.parts):
        raise UnsafePathError(
            "A file's path leads out of its folder or is too long; send relative paths only."
        )
    return Path(*path.parts)


def upload_add_file(upload: Upload, *, path: str, content: BinaryIO, size: int) -> None:
    """Put one file, whole or not at all, into the upload's folder. Sending it again replaces it."""
    if upload.ingest_run_id is not None:
        raise StateConflictError(
            "This upload was ingested already.", data={"state": "ingested", "allowed": []}
        )
    if upload.byte_count + size > MAX_UPLOAD_BYTES or upload.file_count >= MAX_UPLOAD_FILES:
        raise TooLargeError(
            f"An upload holds at most {MAX_UPLOAD_FILES} files and {MAX_UPLOAD_BYTES // 1024**3} GiB; begin another."
        )
    target = upload_folder(upload) / safe_relative_path(path)
    part = incoming_folder() / f"part-{new_id()}"
    try:
        with part.open("xb") as sink:
            shutil.copyfileobj(content, sink, 1024 * 1024)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    Upload.objects.filter(id=upload.id).update(
        file_count=F("file_count") + 1, byte_count=F("byte_count") + size
    )


def upload_request_ingest(
    upload: Upload, *, rules: Sequence[RoiRule], purpose: CasePurpose, actor: Actor
) -> Job:
    """Queue the ingest of an upload."""
    require_draft(upload.trial)
    with transaction.atomic():
        claimed = Upload.objects.filter(id=upload.id, ingest_run_id__isnull=True).update(
            ingest_run_id=upload.id
        )
        if not claimed:
            raise StateConflictError(
                "This upload was ingested already.", data={"state": "ingested", "allowed": []}
            )
        return job_create(
            kind="trials.ingest",
            trial_id=upload.trial_id,
            created_by_id=actor.account_id,
            items=[
                (
                    str(upload.id),
                    {
                        "upload_id": str(upload.id),
                        "rules": [asdict(rule) for rule in rules],
                        "purpose": str(purpose),
                        "account_id": str(actor.account_id),
                    },
                )
            ],
            unit="file",
        )


def upload_ingest(upload_id: uuid.UUID, payload: Mapping[str, Any], context: JobContext) -> dict[str, Any]:
    """Do a queued ingest and clear the upload's folder. Doing it twice finds everything there already."""
    upload = Upload.objects.select_related("trial").get(id=upload_id)
    folder = upload_folder(upload)

    def progress(done: int, total: int) -> None:
        context.progress(done, total)
        context.check_cancelled()

    report = trial_ingest_folder(
        upload.trial,
        folder,
        rules=[rule_of(rule) for rule in payload["rules"]],
        purpose=CasePurpose(payload["purpose"]),
        actor=Actor(account_id=uuid.UUID(payload["account_id"]), origin=Origin.WORKER),
        progress=progress,
    )
    Upload.objects.filter(id=upload.id).update(ingest_run_id=report.outcome.run.id)
    shutil.rmtree(folder, ignore_errors=True)
    return report_document(report)


def rule_of(document: Mapping[str, Any]) -> RoiRule:
    """Return the rule that a request or payload describes."""
    return RoiRule(
        source=document["source"],
        pattern=document["pattern"],
        applies_to=RuleScope(document.get("applies_to", RuleScope.REGION)),
        required=bool(document.get("required", True)),
    )
