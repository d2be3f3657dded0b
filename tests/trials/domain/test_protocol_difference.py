"""In what two protocols differ, and what of it an amendment may change."""

import copy

import pytest

from trials.domain.protocol.amendment import Standing, amendment_refusals, consent_problems
from trials.domain.protocol.difference import protocol_changes
from trials.domain.protocol.document import canonical_document, check_text, load_protocol
from trials.selectors.templates import template

FRESH = Standing(readings_handed_out=False, looked_by_arm=False)


@pytest.fixture(scope="module")
def shipped():
    return check_text(template("contour-preference").text).document


def changed(document, **changes):
    """Return the document with values set by dotted path."""
    new = copy.deepcopy(document)
    for path, value in changes.items():
        holder = new
        *parents, last = [int(one) if one.isdigit() else one for one in path.split("__")]
        for name in parents:
            holder = holder[name] if isinstance(holder, list) else holder.setdefault(name, {})
        holder[last] = value
    return new


def test_defaults_that_are_spelt_out_are_no_difference(shipped):
    spelt_out = canonical_document(load_protocol(shipped))
    assert spelt_out != shipped
    assert protocol_changes(shipped, spelt_out) == ()


def test_number_is_told_by_its_part_and_both_values(shipped):
    [change] = protocol_changes(shipped, changed(shipped, sessions__break_after_readings=40))
    assert (change.pointer, change.kind, change.before, change.after) == (
        "/sessions/break_after_readings",
        "changed",
        shipped["sessions"]["break_after_readings"],
        40,
    )
    assert change.words.startswith("Sessions, break after readings: ")
    assert change.words.endswith(" became 40.")


def test_entries_are_told_by_name_whatever_their_place(shipped):
    strata = [
        {"key": key, "label": key, "participants": 3, "answers": [key]}
        for key in ("first", "second", "third")
    ]
    before = changed(shipped, allocation__strata=strata)
    turned = [*strata[1:], {**strata[0], "participants": 4}]
    found = {
        (one.pointer, one.kind): one.words
        for one in protocol_changes(before, changed(before, allocation__strata=turned))
    }
    assert found == {
        (
            "/allocation/strata/2/participants",
            "changed",
        ): "Allocation, strata, “first”, participants: 3 became 4.",
        ("/allocation/strata", "moved"): "Allocation, strata: the order became “second”, “third”, “first”.",
    }
    [fewer] = protocol_changes(before, changed(before, allocation__strata=strata[1:]))
    assert (fewer.pointer, fewer.kind) == ("/allocation/strata/0", "removed")
    assert fewer.words.startswith("Allocation, strata, “first”: removed ")


def test_long_text_is_shown_around_its_first_difference(shipped):
    long = "a" * 500
    [change] = protocol_changes(
        changed(shipped, summary=long + "left"), changed(shipped, summary=long + "right")
    )
    assert change.words.count("…") >= 2
    assert "aleft”" in change.words
    assert "aright”" in change.words
    assert change.after == long + "right"


def test_drafts_that_are_no_protocol_are_compared_as_they_were_written():
    [change] = protocol_changes(
        {"schema": "equipoise/protocol/1", "titel": "a"}, {"schema": "equipoise/protocol/1"}
    )
    assert (change.pointer, change.kind) == ("/titel", "removed")


@pytest.mark.parametrize(
    ("path", "value", "fresh", "handed_out", "looked"),
    [
        ("summary", "Other words", True, True, True),
        ("registration__number", "NCT00000001", True, True, True),
        ("analysis_plan__bootstrap_resamples", 500, True, True, False),
        ("instructions__text", "Read on.", True, False, True),
        ("tasks__0__question", "Which is better?", True, False, True),
        ("tasks__0__display__scroll__mode", "none", False, False, False),
        ("tasks__0__no_preference", True, False, False, False),
        ("sessions__break_after_readings", 40, True, False, True),
        ("timing__idle_threshold_s", 90, True, False, True),
        ("items__selection__count", 7, False, False, False),
        ("practice__count", 5, False, False, False),
        ("practice__text", "Try it.", True, False, True),
        ("allocation__reserve_percent", 50, False, False, False),
        ("allocation__blinding_check__pairs", 5, False, False, False),
        ("seeds__analysis", 9, False, False, False),
        ("algorithms__0__version", "9.9", False, False, False),
        ("quality__max_gap", "9", False, False, False),
        ("deidentification__device", True, False, False, False),
    ],
)
def test_only_what_touches_no_reading_is_amended(shipped, path, value, fresh, handed_out, looked):
    document = changed(shipped, tasks__0__display__scroll={"mode": "range", "slices": 2})
    changes = protocol_changes(document, changed(document, **{path: value}))
    assert changes
    standings = (FRESH, Standing(True, False), Standing(False, True))
    assert [not amendment_refusals(changes, one) for one in standings] == [fresh, handed_out, looked]


def test_refusal_names_the_change_and_the_reason(shipped):
    changes = protocol_changes(shipped, changed(shipped, allocation__reserve_percent=51))
    refused = amendment_refusals(changes, FRESH)
    assert refused == {
        "/allocation/reserve_percent": f"{changes[0].words} This cannot be amended: slots, sides and order were drawn "
        "by it at protocol lock."
    }


def test_new_words_of_the_consent_need_a_new_version(shipped):
    before = load_protocol(changed(shipped, consent__text="Old words", consent__version="1"))
    same = load_protocol(changed(shipped, consent__text="New words", consent__version="1"))
    new = load_protocol(changed(shipped, consent__text="New words", consent__version="2"))
    assert [one.pointer for one in consent_problems(before, same)] == ["/consent/version"]
    assert consent_problems(before, new) == []
