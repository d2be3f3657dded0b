"""Whatever a browser sends can be stored and hashed."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from trials.domain.storable import MAX_EXACT, storable


def test_half_characters_nulls_and_huge_numbers_are_replaced_and_the_rest_stays():
    sent = json.loads(
        '{"a": "x\\u0000y\\ud83d", "b": 1e20, "c": 9007199254740992, "d": [true, null, 1.5, "\\ud83d\\ude00"]}'
    )
    assert storable(sent) == {
        "a": "x\ufffdy\ufffd",
        "b": "1e+20",
        "c": "9007199254740992",
        "d": [True, None, 1.5, "\U0001f600"],
    }
    assert storable({"n": MAX_EXACT, "\ud800": -1}) == {"n": MAX_EXACT, "\ufffd": -1}


def test_depth_is_limited():
    deep = []
    for _ in range(30):
        deep = [deep]
    with pytest.raises(ValueError, match="20 deep"):
        storable(deep)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


@given(_json)
def test_every_value_has_a_canonical_form_and_stays_the_same_when_cleaned_again(value):
    clean = storable(value)
    rfc8785.dumps(clean).decode("utf-8")
    assert storable(clean) == clean
