"""``Idempotency-Key``: a creating request that is sent twice acts once and gets its first answer again.

Key, act and answer are written in one transaction: a second request with the same key waits for the first (unique
row, or SQLite's write lock) and then finds its answer; if the first failed, nothing is left of it, the key included.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from equipoise.api.actors import actor_of
from equipoise.api.errors import BadShapeError
from equipoise.api.models import IdempotentAnswer
from equipoise.common.errors import IdempotencyConflictError

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_MAX_LENGTH = 128
_KEPT_HEADERS = ("Location", "ETag")

ViewMethod = Callable[..., Response]


def idempotent(method: ViewMethod) -> ViewMethod:
    """Make a view's creating POST honour the header; without it the method runs as always."""

    @functools.wraps(method)
    def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get(HEADER)
        actor = actor_of(request.user)
        if key is None or actor is None:
            return method(view, request, *args, **kwargs)
        _validate_key(key)
        # The raw body must be read before the framework's parser takes the stream.
        body = hashlib.sha256(request._request.body).hexdigest()
        stored = _stored(str(actor.id), key, request.path)
        if stored is None:
            try:
                with transaction.atomic():
                    row = _claim(str(actor.id), key, request.path, body)
                    response = method(view, request, *args, **kwargs)
                    _keep(row, response)
                    return response
            except _ClaimedMeanwhileError:
                stored = _stored(str(actor.id), key, request.path)
                if stored is None:
                    raise IdempotencyConflictError(
                        "The same request is being answered; send it again."
                    ) from None
        return _replay(stored, body)

    answer.is_idempotent = True  # type: ignore[attr-defined] # read by the schema
    return answer


class _ClaimedMeanwhileError(Exception):
    """Another request with the key was faster."""


def _validate_key(key: str) -> None:
    if not 1 <= len(key) <= _MAX_LENGTH or not key.isascii() or not key.isprintable():
        raise BadShapeError(f"{HEADER} must be 1 to {_MAX_LENGTH} printable ASCII characters.")


def _stored(caller: str, key: str, path: str) -> IdempotentAnswer | None:
    return IdempotentAnswer.objects.filter(caller=caller, key=key, path=path, status__isnull=False).first()


def _claim(caller: str, key: str, path: str, body: str) -> IdempotentAnswer:
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(caller=caller, key=key, path=path, body_sha256=body)
    except IntegrityError:
        raise _ClaimedMeanwhileError from None


def _keep(row: IdempotentAnswer, response: Response) -> None:
    row.status = response.status_code
    row.answer = json.loads(json.dumps(response.data, cls=JSONEncoder))
    row.headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    row.save(update_fields=["status", "answer", "headers"])


def _replay(stored: IdempotentAnswer, body: str) -> Response:
    if stored.body_sha256 != body:
        raise IdempotencyConflictError(
            f"This {HEADER} was used for another request; a new request needs a new key.",
            data={"key": stored.key},
        )
    return Response(
        stored.answer, status=stored.status, headers={**stored.headers, "Idempotency-Replayed": "true"}
    )


def idempotent_answers_sweep() -> int:
    """Forget answers older than a day; return how many."""
    return IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]
