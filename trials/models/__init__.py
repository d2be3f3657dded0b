"""Rows of a trial: fields, constraints, properties of one row. Rules are in ``trials.domain``, writes in services."""

from trials.models.analysis import Analysis, AnalysisState, ExternalTable, Upload
from trials.models.bundle import PublicBundle, StoredBundle
from trials.models.case import (
    Case,
    CaseImage,
    CasePurpose,
    Contour,
    Item,
    ItemDraw,
    ReferenceStandard,
    ReferenceStatus,
    contours_with_masks,
    images_with_volumes,
)
from trials.models.delivery import Delivery, DeliveryBatch, DicomInbox
from trials.models.display_check import DisplayCheck
from trials.models.participant import (
    AllocationRow,
    Consent,
    Participant,
    ParticipantKind,
    ParticipantState,
    Questionnaire,
    Slot,
    SlotState,
)
from trials.models.reading import (
    AttemptDraft,
    Draft,
    LateSubmission,
    Reading,
    ReadingAttempt,
    ReadingEvent,
    Realm,
    Response,
    ResponseComment,
    ResponseFile,
)
from trials.models.rehearsal import Rehearsal, RehearsalState
from trials.models.reminder import Reminder, ReminderPlan, ReminderStop
from trials.models.result import (
    AlgorithmCaseUse,
    AlgorithmHeatMap,
    AlgorithmPipeline,
    AlgorithmResult,
    AlgorithmResultNote,
    AlgorithmRun,
    AlgorithmVersion,
)
from trials.models.review import ReviewRecord, ReviewStep, ReviewText
from trials.models.signature import Signature, SignatureName
from trials.models.trial import Invitation, Membership, ProtocolVersion, SealedSeed, Trial
from trials.models.webhook import Webhook

__all__ = [
    "AlgorithmCaseUse",
    "AlgorithmHeatMap",
    "AlgorithmPipeline",
    "AlgorithmResult",
    "AlgorithmResultNote",
    "AlgorithmRun",
    "AlgorithmVersion",
    "AllocationRow",
    "Analysis",
    "AnalysisState",
    "AttemptDraft",
    "Case",
    "CaseImage",
    "CasePurpose",
    "Consent",
    "Contour",
    "Delivery",
    "DeliveryBatch",
    "DicomInbox",
    "DisplayCheck",
    "Draft",
    "ExternalTable",
    "Invitation",
    "Item",
    "ItemDraw",
    "LateSubmission",
    "Membership",
    "Participant",
    "ParticipantKind",
    "ParticipantState",
    "ProtocolVersion",
    "PublicBundle",
    "Questionnaire",
    "Reading",
    "ReadingAttempt",
    "ReadingEvent",
    "Realm",
    "ReferenceStandard",
    "ReferenceStatus",
    "Rehearsal",
    "RehearsalState",
    "Reminder",
    "ReminderPlan",
    "ReminderStop",
    "Response",
    "ResponseComment",
    "ResponseFile",
    "ReviewRecord",
    "ReviewStep",
    "ReviewText",
    "SealedSeed",
    "Signature",
    "SignatureName",
    "Slot",
    "SlotState",
    "StoredBundle",
    "Trial",
    "Upload",
    "Webhook",
    "contours_with_masks",
    "images_with_volumes",
]
