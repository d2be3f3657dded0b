"""Rows of a trial: fields, constraints, properties of one row. Rules are in ``trials.domain``, writes in services."""

from trials.models.analysis import Analysis, AnalysisState, ExternalTable, Upload
from trials.models.case import Case, CaseImage, CasePurpose, Contour, Item, ItemDraw
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
    Draft,
    LateSubmission,
    Reading,
    ReadingEvent,
    Realm,
    Response,
    ResponseComment,
)
from trials.models.result import AlgorithmResult, AlgorithmResultNote, AlgorithmVersion
from trials.models.trial import Invitation, Membership, ProtocolVersion, SealedSeed, Trial

__all__ = [
    "AlgorithmResult",
    "AlgorithmResultNote",
    "AlgorithmVersion",
    "AllocationRow",
    "Analysis",
    "AnalysisState",
    "Case",
    "CaseImage",
    "CasePurpose",
    "Consent",
    "Contour",
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
    "Questionnaire",
    "Reading",
    "ReadingEvent",
    "Realm",
    "Response",
    "ResponseComment",
    "SealedSeed",
    "Slot",
    "SlotState",
    "Trial",
    "Upload",
]
