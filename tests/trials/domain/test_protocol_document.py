"""The protocol document: read with lines, everything wrong at once, one canonical form and hash."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol import yaml_view
from trials.domain.protocol.document import (
    canonical_bytes,
    canonical_document,
    check_document,
    check_text,
    json_schema,
    load_protocol,
    protocol_sha256,
    to_yaml,
)
from trials.domain.protocol.parts import decimal_text
from trials.domain.protocol.upgrade import UPGRADES, UnknownSchemaError, upgraded
from trials.domain.protocol.v1 import ProtocolV1

SAMPLES = Path(__file__).parent / "samples"
STORED_SHA256 = (SAMPLES / "protocol-v1.sha256").read_text(encoding="ascii").strip()


def problem_at(outcome, pointer):
    [found] = [one for one in outcome.problems if one.pointer == pointer]
    return found


def test_the_template_is_valid_and_ready_to_lock(template_text):
    outcome = check_text(template_text)
    assert outcome.problems == ()
    assert outcome.lock_problems == ()
    assert outcome.ready_to_lock is True


def test_the_template_says_what_the_reference_trial_was(template):
    assert template.items.selection.above == Decimal("0.7")
    assert template.items.selection.count == 100
    assert template.allocation.strata[0].participants == 40
    assert template.repeat_count == 10
    assert template.allocation.blinding_check.pairs == 20
    assert template.preference is not None
    assert template.preference.candidates is not None
    assert template.preference.candidates.b.kind == "algorithm"


def test_the_stored_sample_of_schema_1_stays_readable():
    stored = json.loads((SAMPLES / "protocol-v1.json").read_text(encoding="utf-8"))
    assert protocol_sha256(stored) == STORED_SHA256
    protocol = load_protocol(stored)
    assert protocol.title == "Lung tumour contours, expert or algorithm"
    assert protocol.allocation.strata[0].participants == 40
    assert set(stored) <= set(canonical_document(protocol))


def test_a_protocol_survives_its_yaml_and_keeps_its_hash(template):
    document = canonical_document(template)
    again = check_text(to_yaml(document))
    assert again.document == document
    assert again.protocol == template
    assert protocol_sha256(again.protocol) == protocol_sha256(document)


def test_comments_order_and_spelling_of_numbers_do_not_change_the_hash():
    one = check_text("schema: equipoise/protocol/1\ntitle: T\nitems: {selection: {above: 0.70, count: 5}}\n")
    two = check_text(
        "# a comment\ntitle: 'T'\nitems:\n  selection:\n    count: 5\n    above: 0.7\nschema: equipoise/protocol/1\n"
    )
    three = check_document(
        {"title": "T", "schema": "equipoise/protocol/1", "items": {"selection": {"above": 0.7, "count": 5}}}
    )
    assert len({protocol_sha256(outcome.protocol) for outcome in (one, two, three)}) == 1


def test_the_canonical_form_is_rfc_8785_without_floats():
    data = canonical_bytes({"b": 0.5, "a": [1, True, None, "ä"]})
    assert data == '{"a":[1,true,null,"ä"],"b":"0.5"}'.encode()
    assert protocol_sha256({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_everything_wrong_is_named_at_once_with_its_line():
    outcome = check_text(
        "schema: equipoise/protocol/1\n"  # 1
        "titel: x\n"  # 2
        "tasks:\n"  # 3
        "  - kind: preference\n"  # 4
        "    quesion: What?\n"  # 5
        '    confirm: "yes"\n'  # 6
        "    display: {windows: [{name: Lung, width: 4, level_hu: 3}]}\n"  # 7
        "allocation:\n"  # 8
        "  reserve_percent: -3\n"  # 9
        "  strata:\n"  # 10
        "    - {key: all, label: All, participants: 4.5}\n"  # 11
        "timing: {primary_time: fast}\n"  # 12
        "items: {selection: {above: 1.2}}\n"  # 13
    )
    assert outcome.protocol is None
    assert [(one.line, one.pointer, one.code) for one in outcome.problems] == [
        (2, "/titel", "unknown_key"),
        (5, "/tasks/0/quesion", "unknown_key"),
        (6, "/tasks/0/confirm", "wrong_type"),
        (7, "/tasks/0/display/windows/0/width_hu", "missing"),
        (7, "/tasks/0/display/windows/0/width", "unknown_key"),
        (9, "/allocation/reserve_percent", "out_of_range"),
        (11, "/allocation/strata/0/participants", "wrong_type"),
        (12, "/timing/primary_time", "wrong_value"),
        (13, "/items/selection/above", "out_of_range"),
    ]
    assert problem_at(outcome, "/titel").message == "'titel' is not known here. Did you mean 'title'?"
    assert problem_at(outcome, "/tasks/0/quesion").message.endswith("Did you mean 'question'?")
    assert problem_at(outcome, "/allocation/reserve_percent").message == (
        "'reserve_percent': must be at least 0; got -3."
    )


def test_what_is_missing_is_named_even_while_other_parts_are_wrong():
    outcome = check_text(
        "schema: equipoise/protocol/1\ntitle: [1]\nconsent: {version: 3}\nseeds: {item_draw: 1, analysis: -2}\n"
    )
    pointers = {one.pointer for one in outcome.lock_problems}
    assert "/consent/text" in pointers
    assert "/seeds/simulation" in pointers
    assert "/title" not in pointers
    assert "/seeds/analysis" not in pointers
    assert {one.pointer for one in outcome.problems} == {"/title", "/seeds/analysis"}


def test_a_key_without_a_near_match_lists_what_is_known():
    outcome = check_text("schema: equipoise/protocol/1\nseeds: {zzz: 1}\n")
    assert outcome.problems[0].message == "'zzz' is not known here. Known: analysis, item_draw, simulation."


def test_an_allocation_seed_has_no_place_in_a_protocol():
    outcome = check_text("schema: equipoise/protocol/1\nseeds: {allocation: 1}\n")
    assert outcome.problems[0].code == "unknown_key"
    assert "allocation" not in json_schema()["$defs"]["Seeds"]["properties"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "empty", 1),
        ("a: [1, 2", "not_yaml", 1),
        ("a: 1\n  b: 2\n", "not_yaml", 2),
        ("a: &x 1\nb: *x\n", "alias", 1),
        ("a: 1\n---\nb: 2\n", "several_documents", 2),
        ("- " * 30 + "x", "too_deep", 1),
        ("[1, 2]", "not_a_mapping", None),
        ("x" * (yaml_view.MAX_CHARACTERS + 1), "too_large", None),
        ("a: \x00", "not_yaml", None),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_its_reason(text, code, line):
    outcome = check_text(text)
    assert outcome.document is None
    assert outcome.protocol is None
    assert [(one.code, one.line) for one in outcome.problems] == [(code, line)]


def test_duplicate_keys_and_tags_are_told_by_line():
    outcome = check_text(
        "schema: equipoise/protocol/1\ntitle: a\ntitle: b\nsummary: !!python/name:os.system x\n"
    )
    assert [(one.line, one.code) for one in outcome.problems] == [(3, "duplicate_key"), (4, "tag")]
    assert outcome.problems[0].message == "'title' stands here twice; first in line 2."
    assert outcome.protocol is None


def test_yaml_1_2_keeps_words_and_decimals_as_written():
    read = yaml_view.read_yaml("a: No\nb: 0.70\nc: 1e3\nd: 010\ne: 0x10\nf: 2026-11-21\ng: ~\nh: on\n")
    assert read.value == {
        "a": "No", "b": "0.70", "c": "1000", "d": 10, "e": 16, "f": "2026-11-21", "g": None, "h": "on",
    }  # fmt: skip
    assert read.problems == []


def test_infinite_numbers_are_refused():
    assert check_text("schema: equipoise/protocol/1\ntiming: .inf\n").problems[0].code == "number"
    assert (
        check_document({"schema": "equipoise/protocol/1", "title": float("nan")}).problems[0].code == "number"
    )


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=8),
        JSON_VALUES,
        max_size=5,
    )
)
def test_what_is_written_as_yaml_reads_back_or_is_refused(document):
    read = yaml_view.read_yaml(to_yaml(document))
    if not read.problems:
        assert read.value == document


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text):
    outcome = check_text(text)
    assert outcome.protocol is None
    assert outcome.problems


def test_a_schema_that_is_not_known_is_named():
    assert check_text("title: x\n").problems[0].message == (
        "Say which schema the document follows: schema: equipoise/protocol/1."
    )
    assert check_text("schema: equipoise/protocol/9\n").problems[0].code == "unknown_schema"
    with pytest.raises(UnknownSchemaError, match="equipoise/protocol/9"):
        upgraded({"schema": "equipoise/protocol/9"})


def test_an_older_schema_is_brought_forward_step_by_step(monkeypatch):
    monkeypatch.setitem(
        UPGRADES, "equipoise/protocol/0", lambda old: {"schema": "equipoise/protocol/1", "title": old["name"]}
    )
    outcome = check_text("schema: equipoise/protocol/0\nname: Old trial\n")
    assert outcome.protocol is not None
    assert outcome.protocol.title == "Old trial"
    assert outcome.document == {"schema": "equipoise/protocol/0", "name": "Old trial"}


def test_loading_a_wrong_stored_document_names_its_fields():
    with pytest.raises(ValidationFailedError) as error:
        load_protocol({"schema": "equipoise/protocol/1", "titel": "x"})
    assert list(error.value.data["fields"]) == ["/titel"]


def test_a_draft_may_leave_almost_everything_out():
    outcome = check_text("schema: equipoise/protocol/1\n")
    assert outcome.protocol == ProtocolV1(schema="equipoise/protocol/1")
    assert outcome.problems == ()
    assert outcome.ready_to_lock is False


def test_the_json_schema_describes_every_key_of_the_canonical_document(template):
    assert set(json_schema()["properties"]) == set(canonical_document(template))
    assert json_schema()["additionalProperties"] is False


@pytest.mark.parametrize(
    ("value", "text"), [("0.70", "0.7"), ("10", "10"), ("1E+2", "100"), ("-0.0", "0"), ("0.05", "0.05")]
)
def test_a_decimal_has_one_text(value, text):
    assert decimal_text(Decimal(value)) == text
