"""Every address of the site holds the permission matrix, over two trials; what is refused changes nothing."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from equipoise.api.views import ApiView
from equipoise.common.errors import DomainError
from tests.access.matrix import ACTS, ALL_STATES, DOORS, OUTSIDERS, PEOPLE, PLAIN, PROGRAMS, SEED_SEEN, T
from tests.access.world import Side, side
from tests.factories.accounts import AccountFactory
from trials.models import Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "api/v1/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LETTERS = [*PEOPLE, *PROGRAMS, *OUTSIDERS]
RECORDS_OF_A_REFUSAL = {
    "audit_auditaddress",
    "audit_auditentry",
    "audit_audithead",
    "audit_refusalcount",
    "accounts_servicetoken",
}
"""Tables that a refused request may write: that it was refused, and that a token was used."""


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from walk(pattern, prefix + str(pattern.pattern))
        else:
            yield prefix + str(pattern.pattern), pattern


ROUTES = dict(walk(get_resolver()))


def view_of(route: str) -> type[ApiView]:
    view: type[ApiView] = vars(ROUTES[API + route].callback)["view_class"]
    return view


def endpoints() -> set[str]:
    return {
        f"{method} {route.removeprefix(API)}"
        for route in ROUTES
        if route.startswith(API)
        for method in METHODS
        if hasattr(view_of(route.removeprefix(API)), method.lower())
    }


class ReachedError(DomainError):
    """Raised at the door instead of calling the handler."""

    http_status = 299


@pytest.fixture
def doors(monkeypatch) -> None:
    """Let requests that pass a view's door come back with 299 instead of running its handler."""
    initial = ApiView.initial

    def stop(self, request, *args, **kwargs):
        initial(self, request, *args, **kwargs)
        raise ReachedError("reached")

    monkeypatch.setattr(ApiView, "initial", stop)


@contextmanager
def written() -> Iterator[set[str]]:
    """Collect the tables that are written to."""
    tables: set[str] = set()

    def note(execute, sql, params, many, context):
        found = re.match(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+"(\w+)"', sql, re.IGNORECASE)
        if found:
            tables.add(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield tables


@pytest.fixture
def sides() -> tuple[Side, Side, dict[str, Any]]:
    """Two trials, and the people who belong to neither."""
    first, second = side("first"), side("second")
    outsiders = {"X": AccountFactory.create(is_site_administrator=True), "0": AccountFactory.create()}
    return first, second, outsiders


def call(endpoint: str, *, things: dict[str, Any], person=None, secret: str = "", confirmed: bool = True):
    """Call an address's view with a person or a token, past the middleware, which decides nothing here."""
    method, route = endpoint.split(" ", 1)
    names = ROUTES[API + route].pattern.converters
    kwargs = {name: things[name] for name in re.findall(r"<\w+:(\w+)>", route)}
    assert set(names) <= set(kwargs)
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    body = {} if method == "GET" else {"data": b"{}", "content_type": "application/json"}
    request = getattr(RequestFactory(), method.lower())("/", headers=headers, **body)
    request.user = person or AnonymousUser()
    request.session = SessionStore()
    request.session["confirmed_at"] = time.time() if confirmed else 0
    request._dont_enforce_csrf_checks = True
    return ROUTES[API + route].callback(request, **kwargs)


def callers(first: Side, second: Side, outsiders: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return everybody by letter; the same letter with an apostrophe is that role's holder in the other trial."""
    everybody = {letter: {"person": first.people[letter]} for letter in PEOPLE}
    everybody |= {letter: {"secret": first.programs[letter]} for letter in PROGRAMS}
    everybody |= {"X": {"person": outsiders["X"]}, "0": {"person": outsiders["0"]}, "-": {}}
    everybody |= {f"{letter}'": {"person": second.people[letter]} for letter in PEOPLE}
    everybody |= {f"{letter}'": {"secret": second.programs[letter]} for letter in PROGRAMS}
    return everybody


def expected(endpoint: str, letter: str) -> int:
    """Return the status at the door; whoever is nobody in a trial is not told that there is one."""
    row, inside = DOORS[endpoint], not letter.endswith("'")
    of_trial = ("<uuid:" in endpoint and "account/" not in endpoint) or "<slug:trial>" in endpoint
    if letter.rstrip("'") in row.who and (inside or not of_trial):
        return 299
    if letter == "-":
        return 401
    known = inside and letter in "ADMSd"
    if "<slug:trial>" in endpoint or (of_trial and not known):
        return 404
    return 403


def test_every_address_is_declared():
    assert endpoints() == set(DOORS)
    assert {route for route in ROUTES if not route.startswith(API)} == PLAIN
    assert {act.partition("/transitions/")[0] for act in ACTS if "transitions" in act} == {f"POST {T}"}


def wrong_cells(sides, cells) -> list[str]:
    """Knock at the doors of (state, endpoint, letter); return those that answer otherwise than declared."""
    first, second, outsiders = sides
    everybody, wrong, now = callers(first, second, outsiders), [], ""
    with written() as tables:
        for state, endpoint, letter in cells:
            if state != now:
                Trial.objects.filter(id=first.trial.id).update(state=state)
                tables.discard("trials_trial")
                now = state
            status = call(endpoint, things=first.things, **everybody[letter]).status_code
            if status != expected(endpoint, letter):
                wrong.append(f"{letter} {endpoint} [{state}]: {status}, not {expected(endpoint, letter)}")
    assert tables <= RECORDS_OF_A_REFUSAL
    return wrong


STATES = sorted(ALL_STATES)
EVERYBODY = [*LETTERS, *(f"{letter}'" for letter in [*PEOPLE, *PROGRAMS])]


def test_doors_hold_for_everybody(sides, doors):
    """Every address and every role meet once, and every address meets every state."""
    cells = [
        (STATES[(row + column) % len(STATES)], endpoint, letter)
        for row, endpoint in enumerate(DOORS)
        for column, letter in enumerate(EVERYBODY)
    ]
    assert wrong_cells(sides, sorted(cells)) == []


@pytest.mark.slow
def test_doors_hold_in_every_state_for_everybody(sides, doors):
    """The whole of role x endpoint x state."""
    assert wrong_cells(sides, product(STATES, DOORS, EVERYBODY)) == []


OF_ANOTHER_TRIAL = [endpoint for endpoint in DOORS if re.search(r"<uuid:(?!trial_id)", endpoint)]


def test_things_of_another_trial_are_not_there(sides):
    """The first trial's administrator and data manager name a thing of the second: 404, and nothing is written."""
    first, second, _ = sides
    wrong = []
    for endpoint in OF_ANOTHER_TRIAL:
        who = "A" if "A" in DOORS[endpoint].who else "D"
        theirs = second.things | {"trial_id": first.trial.id}
        with written() as tables:
            status = call(endpoint, things=theirs, person=first.people[who]).status_code
        if status != 404 or not tables <= RECORDS_OF_A_REFUSAL:
            wrong.append(f"{endpoint}: {status}, writes {sorted(tables)}")
    assert wrong == []
    assert len(OF_ANOTHER_TRIAL) >= 19


def signed_in(person, secret="") -> Client:
    if person is None:
        return Client(headers={"authorization": f"Bearer {secret}"} if secret else {})
    client = Client()
    client.force_login(person)
    return client


class UndoneError(Exception):
    """Ends a savepoint, so that the next cell finds the trial as this one did."""


def test_acts_hold_by_state(sides):
    """What hangs on the state is done by whom and when the matrix says, and is else refused without a trace."""
    first, second, outsiders = sides
    wrong = []
    for letter, who in callers(first, second, outsiders).items():
        if letter not in "ADMSRpdX":
            continue
        client = signed_in(who.get("person"), who.get("secret", ""))
        for state, (act, row) in product(STATES, ACTS.items()):
            if letter not in row.who and state not in row.states:
                continue  # refused twice over
            Trial.objects.filter(id=first.trial.id).update(state=state)
            method, route = act.split(" ", 1)
            path = f"/{API}{route.replace('<uuid:trial_id>', str(first.trial.id))}"
            try:
                with transaction.atomic(), written() as tables:
                    answer = client.generic(method, path, json.dumps({"reason": ""}), "application/json")
                    code = answer.status_code
                    unmet = code == 409 and "unmet" in answer.json()["data"]
                    raise UndoneError
            except UndoneError:
                pass
            if row.allows(letter, state) != (code in (200, 422) or unmet):
                wrong.append(f"{letter} {act} [{state}]: {code}")
            elif code >= 400 and not tables <= RECORDS_OF_A_REFUSAL | {"django_session"}:
                wrong.append(f"{letter} {act} [{state}]: {code}, and yet it writes {sorted(tables)}")
    assert wrong == []


def test_seed_is_seen_by_state(sides):
    first, _, _ = sides
    for state in STATES:
        Trial.objects.filter(id=first.trial.id).update(state=state)
        for letter in "AMS":
            seen = call(f"GET {T}/allocation", things=first.things, person=first.people[letter]).data
            allowed = any(row.allows(letter, state) for row in SEED_SEEN)
            assert (seen["seed"] is not None) == allowed, (letter, state)
