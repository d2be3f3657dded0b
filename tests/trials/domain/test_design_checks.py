"""What protocol lock says of designs whose readers read different conditions or cases."""

import copy
from importlib.resources import files

import pytest

from trials.domain.protocol.document import check_document, check_text

DESIGN = "allocation.design"
SETS = f"{DESIGN}.case_sets"
PARALLEL = {f"{DESIGN}.kind": "parallel"}
CROSSED = {f"{DESIGN}.kind": "fully-crossed"}
BLOCKS = {SETS: {"kind": "blocks", "blocks": 3}}
SUBSETS = {SETS: {"kind": "subsets", "readers_per_case": 3, "overlap_cases": 10}}
SIX = {"allocation.strata": [{"key": "all", "label": "All", "participants": 6}]}
THREE = [
    {"key": key, "label": key, "factor": "open", "aid": aid}
    for key, aid in (
        ("a", None),
        ("b", {"source": "bone-scan-ai", "probability": True}),
        ("c", {"source": "bone-scan-ai", "probability": True, "heat_map": True}),
    )
]


@pytest.fixture(scope="module")
def template():
    text = (files("trials") / "templates" / "bone-scan-mrmc.yaml").read_text(encoding="utf-8")
    return check_text(text).document


def problems(template, *changes):
    document = copy.deepcopy(template)
    for path, value in {key: value for change in (SIX, *changes) for key, value in change.items()}.items():
        holder = document
        *parents, last = path.split(".")
        for part in parents:
            holder = holder.setdefault(part, {})
        holder[last] = value
    outcome = check_document(document)
    assert outcome.problems == ()
    return {one.pointer.removeprefix("/allocation/"): one.message for one in outcome.lock_problems}


@pytest.mark.parametrize(
    "changes",
    [
        (PARALLEL,),
        (BLOCKS,),
        (CROSSED, BLOCKS),
        (SUBSETS,),
        (CROSSED, SUBSETS),
        (CROSSED, {f"{DESIGN}.condition_order": "balanced-latin-square"}),
    ],
)
def test_designs_that_can_be_analysed_are_complete(template, changes):
    assert problems(template, *changes) == {}


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ((PARALLEL, BLOCKS), "design/case_sets", "Parallel groups read every case"),
        (
            (PARALLEL, {"allocation.strata": [{"key": "all", "label": "All", "participants": 3}]}),
            "design/conditions",
            "Every condition needs at least 2 readers; 3 are planned for 2.",
        ),
        (
            (PARALLEL, {"analysis_plan.primary.readers": "fixed", "analysis_plan.primary.cases": "fixed"}),
            "/analysis_plan/primary/readers",
            "make the readers random",
        ),
        (
            (PARALLEL, {"analysis_plan.primary.parameters": [{"name": "metric", "value": "partial_auc"}]}),
            "/analysis_plan/primary/parameters",
            "no valid test of partial_auc",
        ),
        (
            (BLOCKS, {"analysis_plan.primary.cases": "fixed"}),
            "/analysis_plan/primary/cases",
            "make the cases random",
        ),
        (({SETS: {"kind": "blocks"}},), "design/case_sets/blocks", "into how many blocks"),
        (({SETS: {"kind": "blocks", "blocks": 4}},), "design/case_sets/blocks", "6 are planned for 4"),
        (
            ({SETS: {"kind": "blocks", "blocks": 2, "overlap_cases": 3}},),
            "design/case_sets",
            "Blocks have no overlap",
        ),
        (({SETS: {"kind": "subsets"}},), "design/case_sets/readers_per_case", "how many readers"),
        (
            ({SETS: {"kind": "subsets", "readers_per_case": 4}},),
            "strata/0/participants",
            "must be a multiple of the 4 readers of a case",
        ),
        (
            (CROSSED, {SETS: {"kind": "subsets", "readers_per_case": 2}}),
            "strata/0/participants",
            "must be a multiple of the 2 conditions",
        ),
        ((SUBSETS, {"items.count": 10}), "design/case_sets/overlap_cases", "fewer than 10; got 10"),
        ((BLOCKS, {"allocation.hidden_repeats": {"percent": 10}}), "hidden_repeats/percent", "(count)"),
        (
            ({f"{DESIGN}.condition_order": "balanced-latin-square"},),
            "design/condition_order",
            "Only a fully-crossed design",
        ),
    ],
)
def test_what_cannot_be_allocated_or_analysed_is_refused_where_it_stands(template, changes, pointer, words):
    found = problems(template, *changes)
    assert set(found) == {pointer}
    assert words in found[pointer]


ENRICHED = {
    "items.count": 100,
    "items.prevalence": {"sample_percent": 50, "target_percent": "5", "target_from": "x"},
}


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ((ENRICHED,), set()),
        ((ENRICHED, {"items.count": None}), {"/items/count"}),
        ((ENRICHED, {"items.strata": ["site", "sex"]}), set()),
        ((ENRICHED, {"items.strata": ["site", "site"]}), {"/items/strata"}),
        (({"items.count": None, "items.strata": ["site"]},), {"/items/strata"}),
        ((ENRICHED, {"items.prevalence": {"sample_percent": 50}}), {"/items/prevalence/target_percent"}),
        ((ENRICHED, {"items.prevalence": {"target_percent": "5"}}), {"/items/prevalence"}),
    ],
)
def test_an_enriched_sample_states_the_prevalence_meant(template, changes, pointers):
    assert set(problems(template, *changes)) == pointers


def test_groups_are_compared_over_cases_with_one_item_and_two_at_a_time(template):
    slices = {"items.unit": "slice", "items.selection": {"max_per_case": 2}}
    assert "one item each" in problems(template, PARALLEL, slices)["/items/selection/max_per_case"]
    one_each = {"items.unit": "slice", "items.selection": {"max_per_case": 1}}
    assert "/items/selection/max_per_case" not in problems(template, PARALLEL, one_each)
    three = {f"{DESIGN}.conditions": THREE}
    assert "'first' and 'second'" in problems(template, PARALLEL, three)["/analysis_plan/primary/parameters"]
    pair = {
        "analysis_plan.primary.parameters": [
            {"name": "first", "value": "b"},
            {"name": "second", "value": "a"},
        ]
    }
    assert "/analysis_plan/primary/parameters" not in problems(template, PARALLEL, three, pair)
