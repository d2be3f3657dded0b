"""Protocol lock: every rule refuses what it must, and names the place."""

import copy

import pytest

from trials.domain.protocol.document import canonical_document, check_document, check_text


def test_an_empty_draft_names_everything_at_once():
    pointers = [one.pointer for one in check_text("schema: equipoise/protocol/1\n").lock_problems]
    assert pointers == [
        "/title",
        "/consent/version",
        "/consent/text",
        "/consent/withdrawal_of_readings_until",
        "/instructions/text",
        "/registration",
        "/ethics",
        "/questionnaire/group_question",
        "/tasks",
        "/allocation/strata",
        "/analysis_plan/primary",
        "/analysis_plan/analysis_sets/all_submitted",
        "/analysis_plan/analysis_sets/per_protocol",
        "/analysis_plan/analysis_sets/per_protocol_excludes",
        "/analysis_plan/missing_readings/missing",
        "/analysis_plan/missing_readings/cannot_assess",
        "/analysis_plan/missing_readings/sensitivity_analysis",
        "/analysis_plan/sample_size/rationale",
        "/seeds/item_draw",
        "/seeds/analysis",
        "/seeds/simulation",
    ]


def changed(document, pointer, value):
    document = copy.deepcopy(document)
    *path, last = [int(part) if part.isdigit() else part for part in pointer.split("/")[1:]]
    holder = document
    for part in path:
        holder = holder[part]
    if value is KeyError:
        del holder[last]
    else:
        holder[last] = value
    return document


PRIMARY = "/analysis_plan/primary"
WRONG = [
    ("/registration", {}, "/registration", "missing"),
    ("/registration", {"number": "NCT1", "none_because": "x"}, "/registration", "inconsistent"),
    ("/ethics", {}, "/ethics", "missing"),
    ("/consent/text", None, "/consent/text", "missing"),
    ("/questionnaire/group_question", None, "/questionnaire/group_question", "missing"),
    ("/questionnaire/group_question", "display_size", "/questionnaire/group_question", "inconsistent"),
    ("/questionnaire/group_question", "experience_years", "/questionnaire/group_question", "inconsistent"),
    (
        "/questionnaire/experience_question",
        "speciality",
        "/questionnaire/experience_question",
        "inconsistent",
    ),
    ("/questionnaire/questions/2/key", "display", "/questionnaire/questions", "inconsistent"),
    ("/questionnaire/questions/0/options", [], "/questionnaire/questions/0/options", "missing"),
    ("/questionnaire/questions/1/minimum", 70, "/questionnaire/questions/1/minimum", "inconsistent"),
    ("/questionnaire/questions/0/minimum", 1, "/questionnaire/questions/0", "inconsistent"),
    ("/tasks", [], "/tasks", "missing"),
    ("/tasks/0/candidates", None, "/tasks/0/candidates", "missing"),
    ("/tasks/0/candidates/a/source", "algorithm", "/tasks/0/candidates/b/source", "inconsistent"),
    ("/tasks/0/candidates/b/kind", "expert", "/tasks/0/candidates", "inconsistent"),
    ("/tasks/0/candidates/b/source", "another", "/algorithms", "missing"),
    ("/tasks/0/cannot_assess", [], "/tasks/0/cannot_assess", "missing"),
    ("/tasks/0/display/start_window", "Brain", "/tasks/0/display/start_window", "inconsistent"),
    ("/tasks/0/display/panes", ["A", "A"], "/tasks/0/display/panes", "inconsistent"),
    ("/tasks/0/display/scroll", {"mode": "range", "slices": 0}, "/tasks/0/display/scroll", "inconsistent"),
    ("/tasks/0/display/scroll", {"mode": "none", "slices": 2}, "/tasks/0/display/scroll", "inconsistent"),
    ("/algorithms/0/weights_unknown_because", None, "/algorithms/0/weights_sha256", "missing"),
    ("/algorithms/0/operating_threshold", "0.5", "/algorithms/0/operating_threshold", "inconsistent"),
    ("/items/selection/max_per_case_and_expert", 3, None, None),
    ("/allocation/strata", [], "/allocation/strata", "missing"),
    ("/allocation/strata/0/answers", ["radiology"], "/allocation/strata/0/answers", "inconsistent"),
    ("/allocation/hidden_repeats/count", 5, "/allocation/hidden_repeats", "inconsistent"),
    (
        "/allocation/hidden_repeats/min_distance",
        101,
        "/allocation/hidden_repeats/min_distance",
        "inconsistent",
    ),
    ("/allocation/blinding_check/pairs", 101, "/allocation/blinding_check/pairs", "inconsistent"),
    (PRIMARY, None, PRIMARY, "missing"),
    (PRIMARY + "/estimand", None, PRIMARY + "/estimand", "missing"),
    (PRIMARY + "/estimand/readers", None, PRIMARY + "/estimand/readers", "missing"),
    (PRIMARY + "/estimand/cases", None, PRIMARY + "/estimand/cases", "missing"),
    (PRIMARY + "/estimand/contrast", None, PRIMARY + "/estimand/contrast", "missing"),
    (PRIMARY + "/estimand/summary", None, PRIMARY + "/estimand/summary", "missing"),
    (PRIMARY + "/estimand/intercurrent_events", [], PRIMARY + "/estimand/intercurrent_events", "missing"),
    (PRIMARY + "/hypothesis", None, PRIMARY + "/hypothesis", "missing"),
    (PRIMARY + "/hypothesis/direction", None, PRIMARY + "/hypothesis/direction", "missing"),
    (PRIMARY + "/alpha", None, PRIMARY + "/alpha", "missing"),
    (PRIMARY + "/alpha", "0.01", "/analysis_plan/confidence_level", "inconsistent"),
    (PRIMARY + "/sides", None, PRIMARY + "/sides", "missing"),
    (PRIMARY + "/readers", None, PRIMARY + "/readers", "missing"),
    (PRIMARY + "/cases", None, PRIMARY + "/cases", "missing"),
    ("/analysis_plan/multiplicity", None, "/analysis_plan/multiplicity", "missing"),
    ("/analysis_plan/multiplicity/family", None, "/analysis_plan/multiplicity", "missing"),
    ("/analysis_plan/secondary/0/key", "preference", "/analysis_plan/secondary", "inconsistent"),
    (
        "/analysis_plan/analysis_sets/per_protocol",
        None,
        "/analysis_plan/analysis_sets/per_protocol",
        "missing",
    ),
    (
        "/analysis_plan/analysis_sets/per_protocol_excludes",
        [],
        "/analysis_plan/analysis_sets/per_protocol_excludes",
        "missing",
    ),
    ("/analysis_plan/missing_readings/missing", None, "/analysis_plan/missing_readings/missing", "missing"),
    (
        "/analysis_plan/missing_readings/cannot_assess",
        None,
        "/analysis_plan/missing_readings/cannot_assess",
        "missing",
    ),
    ("/analysis_plan/sample_size/rationale", None, "/analysis_plan/sample_size/rationale", "missing"),
    (
        "/analysis_plan/looks",
        [{"number": 1, "purpose": "x", "when": "y"}],
        "/analysis_plan/looks/0",
        "inconsistent",
    ),
    ("/seeds/analysis", None, "/seeds/analysis", "missing"),
    (PRIMARY + "/data", "elsewhere", PRIMARY + "/data", "inconsistent"),
    (
        PRIMARY + "/parameters",
        [{"name": "model", "value": "perhaps"}],
        PRIMARY + "/parameters",
        "inconsistent",
    ),
    ("/analysis_plan/secondary/0/analysis", "survival", "/analysis_plan/secondary/0/data", "missing"),
    (
        "/external_data",
        [{"key": "unused", "table": "survival", "collected": "x"}],
        "/external_data/0/key",
        "inconsistent",
    ),
]


@pytest.mark.parametrize(("pointer", "value", "found_at", "code"), WRONG)
def test_each_omission_and_contradiction_is_named_where_it_stands(template, pointer, value, found_at, code):
    outcome = check_document(changed(canonical_document(template), pointer, value))
    assert outcome.problems == ()
    found = [(one.pointer, one.code) for one in outcome.lock_problems]
    assert found == ([] if found_at is None else [(found_at, code)])


def test_external_data_must_be_a_table_that_the_analysis_takes(template):
    document = canonical_document(template)
    document["external_data"] = [{"key": "follow_up", "table": "survival"}]
    document["analysis_plan"]["primary"]["data"] = "follow_up"
    found = {one.pointer: one.message for one in check_document(document).lock_problems}
    assert set(found) == {"/external_data/0/collected", PRIMARY + "/data"}
    assert "takes readings, but 'follow_up' is a table of survival" in found[PRIMARY + "/data"]


def test_endpoints_that_share_an_analysis_cannot_give_a_parameter_two_values(template):
    document = canonical_document(template)
    primary = document["analysis_plan"]["primary"]
    other = document["analysis_plan"]["secondary"][0] | {"analysis": primary["analysis"]}
    document["analysis_plan"]["secondary"][0] = other
    other["parameters"] = [{"name": "model", "value": "false"}]
    assert check_document(document).lock_problems == ()
    primary["parameters"] = [{"name": "model", "value": "true"}]
    (problem,) = check_document(document).lock_problems
    assert problem.pointer == "/analysis_plan/secondary"
    assert "give 'model' two values" in problem.message


def test_non_inferiority_needs_margin_direction_and_justification(template):
    document = canonical_document(template)
    document["analysis_plan"]["primary"]["hypothesis"] = {"kind": "non_inferiority", "direction": "two_sided"}
    assert [one.pointer for one in check_document(document).lock_problems] == [
        PRIMARY + "/hypothesis/margin",
        PRIMARY + "/hypothesis/justification",
        PRIMARY + "/hypothesis/direction",
    ]
    document["analysis_plan"]["primary"] |= {"alpha": "0.025", "sides": 1}
    document["analysis_plan"]["primary"]["hypothesis"] = {
        "kind": "non_inferiority",
        "direction": "higher",
        "margin": "0.05",
        "justification": "As agreed with the clinic.",
    }
    assert check_document(document).lock_problems == ()


def test_estimation_needs_no_test(template):
    document = canonical_document(template)
    document["analysis_plan"]["primary"] |= {
        "hypothesis": {"kind": "estimation"},
        "alpha": None,
        "sides": None,
    }
    assert check_document(document).lock_problems == ()


def test_a_look_is_technical_or_spends_alpha(template):
    document = canonical_document(template)
    look = {"number": 1, "purpose": "x", "when": "y"}
    document["analysis_plan"]["looks"] = [
        look | {"technical_only": True},
        look | {"number": 2, "alpha_spending": "O'Brien-Fleming"},
    ]
    assert check_document(document).lock_problems == ()


def test_every_answer_must_lead_to_exactly_one_stratum(template):
    document = canonical_document(template)
    document["allocation"] |= {
        "stratum_question": "speciality",
        "strata": [
            {
                "key": "oncology",
                "label": "Oncology",
                "participants": 20,
                "answers": ["radiation_oncology", "radiology"],
            },
            {"key": "rest", "label": "Others", "participants": 20, "answers": ["radiology", "dentistry"]},
        ],
    }
    messages = [one.message for one in check_document(document).lock_problems]
    assert messages == [
        "The answer 'radiology' stands 2 times; each must have a name of its own.",
        "'dentistry' is no answer to 'speciality'.",
        "Readers who answer 'nuclear_medicine' have no stratum.",
        "Readers who answer 'other_medical' have no stratum.",
        "Readers who answer 'medical_student' have no stratum.",
        "Readers who answer 'computer_science' have no stratum.",
    ]


def test_several_strata_need_the_question_that_divides_them(template):
    document = canonical_document(template)
    document["allocation"]["strata"] = [
        {"key": key, "label": key, "participants": 2} for key in ("one", "two")
    ]
    assert [one.pointer for one in check_document(document).lock_problems] == ["/allocation/stratum_question"]
