"""Proof that an unsafe request of a browser comes from our own pages."""

from typing import NoReturn

from django.http import HttpRequest
from rest_framework.authentication import CSRFCheck
from rest_framework.request import Request

from equipoise.api.errors import CsrfFailedError


def csrf_check(request: Request) -> None:
    """Raise unless the request is safe, or carries the token (``X-CSRFToken``) that its cookie belongs to."""
    check = CSRFCheck(_not_called)
    django_request = request._request
    check.process_request(django_request)
    if check.process_view(django_request, _not_called, (), {}):
        raise CsrfFailedError("The page's security token is missing or old; reload it (GET /api/v1/session).")


def _not_called(request: HttpRequest) -> NoReturn:
    """Stand where the check expects a view: it decides before it would call one."""
    raise AssertionError("The CSRF check calls no view.")
