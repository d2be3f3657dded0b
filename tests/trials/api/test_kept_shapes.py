"""One serializer serves every request: nothing of one may reach another."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from rest_framework.exceptions import ValidationError

from trials.api.serializers import reader as shapes
from trials.api.views.acting import shaped, validated

EVENT = {"sequence": 0, "kind": "first_paint", "clock_id": "page-1", "t_ms": 1.5, "wall_ms": 2.5, "data": {}}


def batch(number, *, lease=1):
    events = [{**EVENT, "sequence": n, "data": {"number": number}} for n in range(number % 3)]
    return {"reading": f"token{number}", "lease": lease, "events": events}


def take(body):
    return validated(shapes.EventsAppendSerializer, SimpleNamespace(data=body))


def refusal(body):
    with pytest.raises(ValidationError) as refused:
        take(body)
    return refused.value.detail


def test_a_refused_body_leaves_nothing_for_the_next():
    wrong = {**batch(2), "lease": "seven"}
    wrong["events"][1].pop("kind")
    expected = shapes.EventsAppendSerializer(data=wrong)
    assert not expected.is_valid()
    assert refusal(wrong) == expected.errors
    assert take(batch(2))["lease"] == 1
    assert refusal({}).keys() == {"reading", "lease", "events"}
    assert refusal([1]).keys() == {"non_field_errors"}
    assert len(take(batch(1))["events"]) == 1


def test_requests_at_once_get_their_own():
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, (batch(number) for number in range(400))))
        shown = list(
            pool.map(
                lambda number: shaped(shapes.EventsReceivedSerializer, {"received": number, "state": "open"}),
                range(400),
            )
        )
    for number, data in enumerate(taken):
        plain = shapes.EventsAppendSerializer(data=batch(number))
        plain.is_valid(raise_exception=True)
        assert data == plain.validated_data
    assert [one["received"] for one in shown] == list(range(400))


def test_only_what_the_shape_names_gets_out():
    document = {"received": 1, "state": "open", "condition": "aided"}
    assert shaped(shapes.EventsReceivedSerializer, document) == {"received": 1, "state": "open"}
