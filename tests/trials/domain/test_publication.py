"""What may be public of readers: bands, groups of five, codes of their own; every column is decided on."""

import pytest

from trials.domain.columns import AID_COLUMNS, ALGORITHM_COLUMNS, READINGS_COLUMNS, RESERVED, RESTART_COLUMNS
from trials.domain.publication import (
    PUBLIC_COLUMNS,
    WITHHELD_COLUMNS,
    experience_band,
    merged_classes,
    public_codes,
)


@pytest.mark.parametrize(
    ("years", "band"),
    [
        (0, "0-2"), (2, "0-2"), (2.5, "3-5"), (3, "3-5"), (5, "3-5"), (6, "6-10"), (10, "6-10"), (10.5, ">10"),
        (40, ">10"),
    ],
)  # fmt: skip
def test_experience_is_banded(years, band):
    assert experience_band(years) == band


def merged(**sizes):
    """Return the sizes of the classes after merging."""
    members = {f"{name}{number}": name for name, size in sizes.items() for number in range(size)}
    found = merged_classes(members, pooled="other")
    assert found.keys() == members.keys()
    return {name: list(found.values()).count(name) for name in sorted(set(found.values()))}


def test_no_class_of_fewer_than_five_is_left():
    assert merged(a=5, b=6) == {"a": 5, "b": 6}
    assert merged(a=5, b=3, c=2) == {"a": 5, "other": 5}
    assert merged(a=7, b=5, c=4) == {"a": 7, "other": 9}
    assert merged(a=5, b=1) == {"other": 6}
    assert merged(a=2, b=2) == {"other": 4}
    assert merged() == {}


def test_public_codes_are_the_same_at_each_making_and_in_an_order_of_their_own():
    screens = [f"R-{number:02d}" for number in range(1, 31)]
    codes = public_codes(screens, prefix="reader", secret=b"one")
    assert codes == public_codes(reversed(screens), prefix="reader", secret=b"one")
    assert sorted(codes.values()) == [f"reader-{number:02d}" for number in range(1, 31)]
    assert [codes[one] for one in screens] != sorted(codes.values())
    assert codes != public_codes(screens, prefix="reader", secret=b"another")


def test_every_column_of_the_readings_is_public_or_withheld():
    known = {*READINGS_COLUMNS, *ALGORITHM_COLUMNS, *AID_COLUMNS, *RESTART_COLUMNS, *RESERVED}
    assert {*PUBLIC_COLUMNS, *WITHHELD_COLUMNS} == known
    assert not set(PUBLIC_COLUMNS) & set(WITHHELD_COLUMNS)
