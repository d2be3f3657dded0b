"""Refusals of the DICOMweb interface as a whole; those of single instances are codes in its answers."""

from equipoise.common.errors import DomainError, ErrorCode


class DicomwebSyntaxError(DomainError):
    """The request cannot be read as what PS3.18 says."""

    code = ErrorCode.VALIDATION_FAILED
    http_status = 400


class UnsupportedMediaTypeError(DomainError):
    """A body of a type that is not read."""

    code = ErrorCode.UNSUPPORTED_MEDIA_TYPE
    http_status = 415


class NotAcceptableError(DomainError):
    """The caller accepts no form in which the thing is given."""

    code = ErrorCode.NOT_ACCEPTABLE
    http_status = 406
