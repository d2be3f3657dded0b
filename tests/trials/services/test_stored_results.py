"""Results are read back as they were stored, whichever database keeps them."""

import pytest
from django.utils import timezone

from tests.factories import trials as factory
from trials.models import Analysis

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_huge_floats_stay_floats_and_whole_numbers_stay_whole():
    told = {"df": 1.625189686243169e60, "low": -2.5e40, "seed": 2**64 - 1, "n": 3, "value": 0.1}
    trial = factory.preference_world(cases=2, **{"items.selection.count": 2}).trial
    row = Analysis.objects.create(trial=trial, name="mrmc", results=told, created_at=timezone.now())
    row.refresh_from_db()
    assert row.results == told
    assert {key: type(value) for key, value in row.results.items()} == {
        key: type(value) for key, value in told.items()
    }
