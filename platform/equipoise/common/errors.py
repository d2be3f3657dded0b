"""The one family of errors that people and programs see: a code, a sentence, data.

A domain error is a subclass of :class:`DomainError`. Its message says what is wrong with which thing and what would
be right. Wrong arguments of a library function are ``ValueError`` or ``TypeError`` instead.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """Every code an answer can carry. Codes are never renamed; keep them alphabetical within their block."""

    NOT_FOUND = "not_found"
    """Absent, or not the caller's: the two are told apart nowhere."""
    PERMISSION_DENIED = "permission_denied"
    NOT_SIGNED_IN = "not_signed_in"
    SESSION_EXPIRED = "session_expired"
    SECOND_FACTOR_REQUIRED = "second_factor_required"
    CSRF_FAILED = "csrf_failed"
    VALIDATION_FAILED = "validation_failed"
    STATE_CONFLICT = "state_conflict"
    VERSION_CONFLICT = "version_conflict"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    READING_TAKEN_OVER = "reading_taken_over"
    ENVIRONMENT_REFUSED = "environment_refused"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    JOB_FAILED = "job_failed"
    INTERNAL_ERROR = "internal_error"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NOT_ACCEPTABLE = "not_acceptable"

    INGEST_ARCHIVE_UNSAFE = "ingest_archive_unsafe"
    INGEST_BURNED_IN = "ingest_burned_in"
    INGEST_DUPLICATE_SLICES = "ingest_duplicate_slices"
    INGEST_EMPTY_MASK = "ingest_empty_mask"
    INGEST_FRAME_OF_REFERENCE = "ingest_frame_of_reference"
    INGEST_GRID_MISMATCH = "ingest_grid_mismatch"
    INGEST_MISSING_SLICES = "ingest_missing_slices"
    INGEST_NOT_AN_IMAGE = "ingest_not_an_image"
    INGEST_PATIENT_SHARED = "ingest_patient_shared"
    INGEST_ROI_ABSENT = "ingest_roi_absent"
    INGEST_ROI_AMBIGUOUS = "ingest_roi_ambiguous"
    INGEST_SEVERAL_SERIES = "ingest_several_series"
    INGEST_TOO_LARGE = "ingest_too_large"
    INGEST_TRUNCATED = "ingest_truncated"
    INGEST_UNEVEN_SPACING = "ingest_uneven_spacing"
    INGEST_UNSUPPORTED = "ingest_unsupported"

    PACS_REFUSED = "pacs_refused"
    PACS_UNREACHABLE = "pacs_unreachable"

    RESULT_CONFLICT = "result_conflict"
    RESULT_EMPTY_MASK = "result_empty_mask"
    RESULT_INCOMPLETE = "result_incomplete"
    RESULT_INFINITE = "result_infinite"
    RESULT_NOT_A_NUMBER = "result_not_a_number"
    RESULT_OUT_OF_RANGE = "result_out_of_range"
    RESULT_UNKNOWN_CASE = "result_unknown_case"
    RESULT_UNKNOWN_MODEL = "result_unknown_model"
    RESULT_UNREADABLE_HEAT_MAP = "result_unreadable_heat_map"
    RESULT_UNREADABLE_MASK = "result_unreadable_mask"
    RESULT_WRONG_GRID = "result_wrong_grid"


class DomainError(Exception):
    """A refusal that a person or a program can act on."""

    code: ClassVar[ErrorCode] = ErrorCode.VALIDATION_FAILED
    http_status: ClassVar[int] = 422

    def __init__(self, message: str, *, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = dict(data or {})


class NotFoundError(DomainError):
    """Absent, or not the caller's."""

    code = ErrorCode.NOT_FOUND
    http_status = 404


class PermissionDeniedError(DomainError):
    """The caller may know of the thing, but not do this to it."""

    code = ErrorCode.PERMISSION_DENIED
    http_status = 403


class StateConflictError(DomainError):
    """The thing's state does not allow the act. ``data``: ``state`` and ``allowed`` (the acts it does allow)."""

    code = ErrorCode.STATE_CONFLICT
    http_status = 409


class VersionConflictError(DomainError):
    """The caller edits an older version than the stored one."""

    code = ErrorCode.VERSION_CONFLICT
    http_status = 412


class IdempotencyConflictError(DomainError):
    """The same key came with another body."""

    code = ErrorCode.IDEMPOTENCY_CONFLICT
    http_status = 409


class EnvironmentRefusedError(DomainError):
    """The reader's window or display is not as the protocol asks. ``data``: ``problems``, each a code and message."""

    code = ErrorCode.ENVIRONMENT_REFUSED
    http_status = 409


class ReadingTakenOverError(DomainError):
    """The reading was opened elsewhere since."""

    code = ErrorCode.READING_TAKEN_OVER
    http_status = 409


class TooLargeError(DomainError):
    """More than is accepted in one piece."""

    code = ErrorCode.TOO_LARGE
    http_status = 413


class ValidationFailedError(DomainError):
    """Well-formed but wrong. ``data["fields"]``: JSON pointer -> list of ``{"code", "message"}``."""

    code = ErrorCode.VALIDATION_FAILED
    http_status = 422

    @classmethod
    def of_fields(cls, fields: Mapping[str, str]) -> "ValidationFailedError":
        """Build the error from one sentence per JSON pointer."""
        return cls(
            " ".join(fields.values()),
            data={
                "fields": {
                    pointer: [{"code": "invalid", "message": text}] for pointer, text in fields.items()
                }
            },
        )
