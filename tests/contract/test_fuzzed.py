"""Requests made up from the OpenAPI document, as every role: never a fault, never an answer outside its schema.

The same requests every time (derandomised), each undone before the next.
"""

import json
from datetime import timedelta
from urllib.parse import urlencode

import httpx
import pytest
import schemathesis
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.access.matrix import OUTSIDERS, PEOPLE, PROGRAMS
from tests.access.test_matrix import callers, signed_in
from tests.access.world import side
from tests.conftest import REPOSITORY
from tests.factories.accounts import AccountFactory

pytestmark = [pytest.mark.django_db, pytest.mark.db, pytest.mark.timeout(7200)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


@schemathesis.serializer("multipart/related")
def no_parts(context, value) -> bytes:
    """DICOM instances have a fuzzer of their own; here such a request comes without any."""
    return b""


@pytest.fixture(scope="module")
def operations():
    """Every operation of the committed document, which another test holds against the code."""
    document = schemathesis.openapi.from_path(REPOSITORY / "frontend" / "src" / "api" / "schema.yaml")
    return [found.ok() for found in document.get_all_operations()]


@pytest.fixture
def everybody():
    """A trial with one of everything, and who may call: members, programs, outsiders."""
    first, second = side("first"), side("second")
    outsiders = {"X": AccountFactory.create(is_site_administrator=True), "0": AccountFactory.create()}
    people = callers(first, second, outsiders)
    clients = {}
    for letter in (*PEOPLE, *PROGRAMS, *OUTSIDERS):
        clients[letter] = signed_in(people[letter].get("person"), people[letter].get("secret", ""))
        clients[letter].raise_request_exception = False
    return first.things, clients


def as_json(body) -> str | bytes:
    """Return a body as it is sent: one that is to be no JSON at all is made of bytes, in part or whole."""
    return body if isinstance(body, bytes) else json.dumps(body, default=lambda part: part.decode("latin-1"))


def send(client, case) -> httpx.Response:
    """Send a request through the whole site, undo what it did, and return the answer."""
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    path = case.formatted_path + (f"?{urlencode(query, doseq=True)}" if query else "")
    given_body = not isinstance(case.body, schemathesis.core.NotSet)
    body = as_json(case.body) if given_body and case.media_type == "application/json" else ""
    headers = {name: str(value) for name, value in (case.headers or {}).items() if str(value).isascii()}
    before = transaction.savepoint()  # no atomic block, in which a durable one could not stand
    answer = client.generic(case.method, path, body, case.media_type or "application/json", headers=headers)
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    transaction.savepoint_rollback(before)
    request = httpx.Request(case.method, f"http://testserver{path}")
    response = httpx.Response(
        answer.status_code, headers=dict(answer.headers), content=content, request=request
    )
    response.elapsed = timedelta(0)
    return response


def fuzz_operation(operation, mode, things, clients, *, examples, wrong):
    """Send so many requests of one kind as every role; note what is wrong, return how many were sent."""
    known = {
        parameter.name: str(things[parameter.name])
        for parameter in operation.path_parameters
        if parameter.name in things
    }
    sent = []

    @given(case=operation.as_strategy(generation_mode=mode, path_parameters=known))
    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=examples,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def as_every_role(case):
        for letter, client in clients.items():
            answer = send(client, case)
            sent.append(letter)
            try:
                case.validate_response(answer, checks=CHECKS)
            except (FailureGroup, AssertionError) as failure:
                place = f"{operation.method.upper()} {operation.path} {answer.status_code}"
                why = getattr(failure, "exceptions", None) or [failure]
                wrong.setdefault(
                    place, f"as {letter}: {why[0]} {answer.request.url} {case.body} {answer.text[:300]}"
                )

    try:
        as_every_role()
    except Unsatisfiable:  # nothing can be made wrong in a request without parameters
        assert mode == schemathesis.GenerationMode.NEGATIVE
    return len(sent)


def fuzzed(operations, everybody, *, examples):
    """Send requests that fit the document, and ones that do not, to every operation; return how many, and faults."""
    things, clients = everybody
    wrong = {}
    sent = [
        fuzz_operation(operation, mode, things, clients, examples=examples, wrong=wrong)
        for operation in operations
        for mode in MODES
    ]
    return sum(sent), wrong


@pytest.mark.production
def test_a_few_requests_of_every_role_meet_no_fault(operations, everybody):
    sent, wrong = fuzzed(operations, everybody, examples=1)
    assert not wrong, "\n\n".join(f"{place} {what}" for place, what in wrong.items())
    assert sent > 10 * len(operations)


@pytest.mark.slow
def test_many_requests_of_every_role_meet_no_fault(operations, everybody, record_property):
    sent, wrong = fuzzed(operations, everybody, examples=25)
    record_property("requests", sent)
    assert not wrong, "\n\n".join(f"{place} {what}" for place, what in wrong.items())
    assert sent > 250 * len(operations)
