"""Prepared statements do what the query sets they were written from do."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Count, Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from equipoise.api.prepared import Parameter, PreparedQuery, PreparedUpdate
from tests.factories import trials as factory
from trials.domain.states import ReadingState
from trials.models import Participant, Reading, Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def participant():
    world = factory.open_world()
    world.enrol()
    return world.enrol()


def readings(participant):
    own = Reading.objects.filter(participant=participant, state__in=[ReadingState.PLANNED])
    return own.select_related("protocol", "item__case").defer("protocol__text").order_by("-position")[:5]


def test_a_prepared_query_sends_the_same_statement_and_returns_the_same_models(participant):
    query = PreparedQuery(lambda: readings(Parameter("participant", Reading)))
    query.rows(participant=uuid.uuid4())
    with CaptureQueriesContext(connection) as usual:
        expected = list(readings(participant.id))
    with CaptureQueriesContext(connection) as prepared:
        found = query.rows(participant=participant.id)
        assert [row.item.case.code for row in found] == [row.item.case.code for row in expected]
    assert len(expected) == 5
    assert len(prepared) == 1
    plain = [
        statement["sql"].replace("(", "").replace(")", "")
        for statement in (*usual.captured_queries, *prepared.captured_queries)
    ]
    assert plain[0] == plain[1]
    assert found == expected
    assert [vars(row.item) | {"_state": None} for row in found] == [
        vars(row.item) | {"_state": None} for row in expected
    ]
    assert {field.name for field in Reading._meta.concrete_fields} - found[0].get_deferred_fields() == {
        field.name for field in Reading._meta.concrete_fields
    }
    assert found[0].protocol.get_deferred_fields() == {"text"}
    assert found[0]._state.db == "default"
    assert not found[0]._state.adding


def test_each_run_has_its_own_values_and_rows(participant):
    query = PreparedQuery(
        lambda: Reading.objects.filter(
            participant=Parameter("participant", Reading), position=Parameter("position", Reading)
        )
    )
    positions = [query.first(participant=participant.id, position=n).position for n in (2, 1, 2)]
    assert positions == [2, 1, 2]
    assert query.first(participant=uuid.uuid4(), position=1) is None


def test_aggregates_and_subqueries_take_parameters(participant):
    query = PreparedQuery(
        lambda: (
            Reading.objects.filter(participant=Parameter("participant", Reading))
            .order_by()
            .values("participant")
            .annotate(
                before=Count("id", filter=Q(position__lte=Parameter("position", Reading))), total=Count("id")
            )
            .values_list("before", "total")
        )
    )
    total = Reading.objects.filter(participant=participant).count()
    assert query.first(participant=participant.id, position=3) == (3, total)


def test_a_value_of_none_is_refused_in_a_query(participant):
    query = PreparedQuery(lambda: Reading.objects.filter(token=Parameter("token", Reading)))
    with pytest.raises(ValueError, match="__isnull"):
        query.rows(token=None)


def test_an_update_changes_the_rows_that_match_and_says_how_many(participant):
    others = Participant.objects.exclude(id=participant.id)
    before = list(others.order_by("id").values())
    names = ("closing_answers", "instructions_read_at", "group")
    update = PreparedUpdate(
        lambda: (
            Participant.objects.filter(id=Parameter("id", Participant), code=Parameter("code", Participant)),
            {name: Parameter(name, Participant) for name in names},
        )
    )
    now = timezone.now()
    for changes in (
        {"closing_answers": {"a": [1]}, "instructions_read_at": now, "group": "one"},
        {"closing_answers": None, "instructions_read_at": now - timedelta(days=1), "group": "two"},
    ):
        assert update.run(id=participant.id, code=participant.code, **changes) == 1
        participant.refresh_from_db()
        assert {name: getattr(participant, name) for name in names} == changes
    changes = {"closing_answers": {}, "instructions_read_at": None, "group": "three"}
    assert update.run(id=participant.id, code="nobody", **changes) == 0
    participant.refresh_from_db()
    assert participant.group == "two"
    assert list(others.order_by("id").values()) == before
    assert before


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("flushing_db")
def test_rows_are_held_in_a_transaction_and_refused_outside_of_one(participant):
    if not connection.features.has_select_for_update:
        pytest.skip("this database holds no rows")
    query = PreparedQuery(
        lambda: Participant.objects.select_for_update(no_key=True).filter(id=Parameter("id", Participant))
    )
    with transaction.atomic(), CaptureQueriesContext(connection) as statements:
        assert query.first(id=participant.id) == participant
    assert "FOR NO KEY UPDATE" in statements.captured_queries[0]["sql"]
    with pytest.raises(transaction.TransactionManagementError):
        query.first(id=participant.id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("flushing_db")
def test_another_thread_uses_a_connection_of_its_own(participant):
    if connection.vendor == "sqlite":
        pytest.skip("the tests' database in memory has one connection")
    query = PreparedQuery(lambda: Trial.objects.filter(id=Parameter("id", Trial)))
    backend = PreparedQuery(
        lambda: Trial.objects.filter(id=Parameter("id", Trial)).extra(select={"pid": "pg_backend_pid()"})
    )
    assert query.first(id=participant.trial_id) == participant.trial
    here = backend.first(id=participant.trial_id).pid
    there = []

    def look():
        there.append(backend.first(id=participant.trial_id).pid)
        connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert len(there) == 1
    assert there[0] != here
