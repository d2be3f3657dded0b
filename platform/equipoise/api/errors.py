"""One shape for every error: ``{"code", "detail", "data"}``, whether ours, Django's or the framework's."""

import logging
import sys
from collections.abc import Mapping
from typing import Any

from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from equipoise.common.errors import DomainError, ErrorCode
from equipoise.common.faults import is_database_away, is_disk_full

logger = logging.getLogger("equipoise.api")


class NotSignedInError(DomainError):
    """Nobody is signed in."""

    code = ErrorCode.NOT_SIGNED_IN
    http_status = 401


class SessionExpiredError(DomainError):
    """Somebody was signed in, and is no more."""

    code = ErrorCode.SESSION_EXPIRED
    http_status = 401


class CsrfFailedError(DomainError):
    """The request does not prove that it comes from our pages."""

    code = ErrorCode.CSRF_FAILED
    http_status = 403


class RateLimitedError(DomainError):
    """Too many tries. ``data["retry_after_s"]`` says when to come back."""

    code = ErrorCode.RATE_LIMITED
    http_status = 429


class BadShapeError(DomainError):
    """The request cannot be read as what it should be."""

    code = ErrorCode.VALIDATION_FAILED
    http_status = 400


def problem(code: ErrorCode, detail: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    return {"code": code.value, "detail": detail, "data": dict(data or {})}


def exception_handler(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """Turn an exception into an answer; None (an error of ours) lets the server answer 500 and log it."""
    known = _as_domain_error(exception)
    if known is None:
        return None
    error, status, headers = known
    view = context.get("view")
    if view is not None and hasattr(view, "note_refusal"):
        view.note_refusal(error.code)
    return Response(problem(error.code, error.message, error.data), status=status, headers=headers)


def _as_domain_error(exception: Exception) -> tuple[DomainError, int, dict[str, str]] | None:
    if isinstance(exception, DomainError):
        return exception, exception.http_status, _retry_after(exception.data.get("retry_after_s"))
    if isinstance(exception, exceptions.APIException):
        return _from_framework(exception)
    fault = _passing_fault(exception)
    if fault is not None:
        words, retry_after_s = fault
        return _OtherError(ErrorCode.INTERNAL_ERROR, 503, words), 503, _retry_after(retry_after_s)
    for kinds, build in _DJANGO_ERRORS:
        if isinstance(exception, kinds):
            error = build(exception)
            return error, error.http_status, {}
    return None


DISK_FULL = "The site's disk is full: nothing of this was saved. Tell whoever runs the site, then try again."
DATABASE_AWAY = "The database did not answer; try again."
"""Says nothing of what was saved: the answer may have been lost behind a commit."""


def _passing_fault(exception: BaseException | None) -> tuple[str, int] | None:
    """Return the sentence about a fault of the machine, and the seconds to wait, or None for another error."""
    if exception is None:
        return None
    if is_disk_full(exception):
        logger.error("The disk is full.", exc_info=exception)
        return DISK_FULL, 60
    if is_database_away(exception):
        logger.error("The database did not answer.", exc_info=exception)
        return DATABASE_AWAY, 5
    return None


def _retry_after(seconds: Any) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, int(seconds)))}


class _OtherError(DomainError):
    """An error whose code and status come from outside."""

    def __init__(
        self, code: ErrorCode, status: int, message: str, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, data=data)
        self.code = code  # type: ignore[misc] # of this one error, not of a family
        self.http_status = status  # type: ignore[misc] # as above


def _from_framework(exception: exceptions.APIException) -> tuple[DomainError, int, dict[str, str]]:
    status = exception.status_code
    if isinstance(exception, exceptions.ValidationError):
        fields = field_errors(exception.get_full_details())
        text = " ".join(
            f"{pointer or '/'}: {e['message']}" for pointer, errors in fields.items() for e in errors
        )
        return BadShapeError(text, data={"fields": fields}), 400, {}
    if isinstance(exception, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        return NotSignedInError("Sign in first."), 401, {}
    if isinstance(exception, exceptions.Throttled):
        wait = getattr(exception, "wait", None)
        error = RateLimitedError("Too many requests; wait a little.", data={"retry_after_s": wait})
        return error, 429, _retry_after(wait)
    codes = {
        403: ErrorCode.PERMISSION_DENIED,
        404: ErrorCode.NOT_FOUND,
        405: ErrorCode.METHOD_NOT_ALLOWED,
        413: ErrorCode.TOO_LARGE,
        415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    }
    code = codes.get(status, ErrorCode.VALIDATION_FAILED)
    return _OtherError(code, status, str(exception.detail)), status, {}


def _from_django_validation(exception: Exception) -> DomainError:
    assert isinstance(exception, DjangoValidationError)
    if hasattr(exception, "error_dict"):
        fields = {f"/{name}": texts for name, texts in exception.message_dict.items()}
    else:
        fields = {"": list(exception.messages)}
    data = {p: [{"code": "invalid", "message": text} for text in texts] for p, texts in fields.items()}
    detail = " ".join(text for texts in fields.values() for text in texts)
    return _OtherError(ErrorCode.VALIDATION_FAILED, 422, detail, {"fields": data})


_DJANGO_ERRORS: tuple[tuple[Any, Any], ...] = (
    (
        (Http404, ObjectDoesNotExist),
        lambda _: _OtherError(ErrorCode.NOT_FOUND, 404, "There is no such thing."),
    ),
    (
        (DjangoPermissionDenied,),
        lambda _: _OtherError(ErrorCode.PERMISSION_DENIED, 403, "You may not do this."),
    ),
    ((RequestDataTooBig,), lambda _: _OtherError(ErrorCode.TOO_LARGE, 413, "The request is too large.")),
    ((DjangoValidationError,), _from_django_validation),
)


def field_errors(details: Any, pointer: str = "") -> dict[str, list[dict[str, str]]]:
    """Return errors by JSON pointer from the framework's nested details."""
    if (
        isinstance(details, Mapping)
        and set(details) == {"message", "code"}
        and isinstance(details["message"], str)
    ):
        return {pointer: [{"code": str(details["code"]), "message": details["message"]}]}
    found: dict[str, list[dict[str, str]]] = {}
    if isinstance(details, Mapping):
        pairs = [
            ("" if key == "non_field_errors" else f"/{_escape(str(key))}", value)
            for key, value in details.items()
        ]
    else:
        is_leaf_list = all(isinstance(d, Mapping) and set(d) == {"message", "code"} for d in details)
        pairs = [("" if is_leaf_list else f"/{index}", value) for index, value in enumerate(details)]
    for step, value in pairs:
        for path, errors in field_errors(value, pointer + step).items():
            found.setdefault(path, []).extend(errors)
    return found


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def json_problem(
    code: ErrorCode, detail: str, status: int, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    """Return an error from outside the framework's views."""
    return JsonResponse(problem(code, detail), status=status, headers=headers)


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    """Serve Django's ``CSRF_FAILURE_VIEW``."""
    return json_problem(ErrorCode.CSRF_FAILED, "Reload the page and try again.", 403)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Serve ``handler400``."""
    if isinstance(exception, RequestDataTooBig):
        return json_problem(ErrorCode.TOO_LARGE, "The request is too large.", 413)
    if isinstance(exception, SessionInterrupted):
        return _session_interrupted(exception)
    return json_problem(ErrorCode.VALIDATION_FAILED, "The request cannot be read.", 400)


def _session_interrupted(exception: SessionInterrupted) -> JsonResponse:
    """Answer where a session could not be saved: it was ended meanwhile, or the database was gone.

    Django tells both alike, as a bad request; but nothing is wrong with the request, which may be sent again.
    """
    cause: BaseException | None = exception
    while cause is not None:
        fault = _passing_fault(cause)
        if fault is not None:
            return _json_fault(*fault)
        cause = cause.__cause__ or cause.__context__
    return json_problem(ErrorCode.SESSION_EXPIRED, "Your session has ended; sign in again.", 401)


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Serve ``handler404``."""
    return json_problem(ErrorCode.NOT_FOUND, "There is no such thing.", 404)


def _json_fault(words: str, retry_after_s: int) -> JsonResponse:
    return json_problem(ErrorCode.INTERNAL_ERROR, words, 503, _retry_after(retry_after_s))


def server_error(request: HttpRequest) -> JsonResponse:
    """Serve ``handler500``, which is called while the error is handled: also what middleware and pages raised."""
    fault = _passing_fault(sys.exception())
    if fault is not None:
        return _json_fault(*fault)
    return json_problem(ErrorCode.INTERNAL_ERROR, "Something went wrong on our side; it was logged.", 500)
