"""The collector is slowed for a while, and is then as it was, whatever happened."""

import gc

import pytest

from equipoise.common.collector import collector_slowed


@pytest.fixture(autouse=True)
def thresholds_kept():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_it_is_slowed_within_and_as_before_after_an_error():
    gc.set_threshold(700, 10, 10)
    with collector_slowed():
        assert gc.get_threshold() == (50_000, 10, 10)
    assert gc.get_threshold() == (700, 10, 10)
    with pytest.raises(ZeroDivisionError), collector_slowed():
        _ = 1 / 0
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(0, 10, 10), (200_000, 5, 5)])
def test_a_collector_that_was_switched_off_or_slowed_further_stays_so(own):
    gc.set_threshold(*own)
    with collector_slowed():
        assert gc.get_threshold() == own
    assert gc.get_threshold() == own
