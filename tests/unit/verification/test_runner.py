"""The runner of reference cases."""

import hashlib
import json
import sys
from types import ModuleType

import pytest

from equipoise.analysis.verification import (
    FAMILIES,
    Superseded,
    own_cases_folder,
    runner,
    verify_folder,
)

MODULE = "equipoise.analysis.verification.roc"


def case(name, expected, **more):
    return {"id": name, "expected": expected, "tolerance": {"rtol": 1e-6, "atol": 1e-9}, **more}


@pytest.fixture
def family(monkeypatch, tmp_path):
    """Stand in for one family's module: it answers each case as the test says."""

    def install(answers, cases, *, not_compared=None):
        module = ModuleType(MODULE)

        def run_case(case, folder):
            answer = answers[case["id"]]
            if isinstance(answer, Exception):
                raise answer
            return answer

        module.run_case = run_case
        module.NOT_COMPARED = not_compared or {}
        monkeypatch.setitem(sys.modules, MODULE, module)
        (tmp_path / "roc").mkdir()
        (tmp_path / "roc" / "cases.json").write_text(json.dumps({"cases": cases}))
        return verify_folder(tmp_path).families[0]

    return install


def test_cases_pass_fail_and_are_superseded_one_by_one(family):
    report = family(
        {
            "right": {"auc": 0.5},
            "wrong": {"auc": 0.6},
            "broken": ZeroDivisionError("division by zero"),
            "another rule": Superseded("Section 1.3 asks for the larger denominator."),
        },
        [case(name, {"auc": 0.5}) for name in ("right", "wrong", "broken", "another rule")],
    )
    assert [(outcome.case_id, outcome.state) for outcome in report.outcomes] == [
        ("right", "passed"),
        ("wrong", "failed"),
        ("broken", "failed"),
        ("another rule", "superseded"),
    ]
    assert report.outcomes[1].problems == ("auc: got 0.6, expected 0.5.",)
    assert report.outcomes[2].problems == ("could not be run: ZeroDivisionError: division by zero",)
    assert report.outcomes[3].rule == "Section 1.3 asks for the larger denominator."
    assert (report.count("passed"), report.count("failed"), report.count("superseded")) == (1, 2, 1)


def test_a_partly_superseded_case_must_agree_in_the_rest(family):
    rule = "Section 1.3."
    expected = {"auc": 0.5, "test": {"p": 0.1}}
    report = family(
        {
            "agrees": Superseded(rule, got={"auc": 0.5}, keys=("test",)),
            "differs": Superseded(rule, got={"auc": 0.7}, keys=("test",)),
        },
        [case("agrees", expected), case("differs", expected)],
    )
    assert [outcome.state for outcome in report.outcomes] == ["superseded", "failed"]
    assert report.outcomes[0].n_compared == 1


def test_an_empty_answer_does_not_pass(family):
    report = family(
        {"silent": {}, "nothing to ask": {}},
        [case("silent", {"auc": 0.5}), case("nothing to ask", {"other": 1.0})],
        not_compared={"other": "another definition"},
    )
    assert [outcome.problems for outcome in report.outcomes] == [
        ("auc: was not computed.",),
        ("nothing was compared.",),
    ]


def test_a_missing_family_module_fails_its_cases(monkeypatch, tmp_path):
    monkeypatch.setitem(FAMILIES, "roc", "equipoise.analysis.verification.absent")
    (tmp_path / "roc").mkdir()
    (tmp_path / "roc" / "cases.json").write_text(json.dumps({"cases": [case("a", {"auc": 1.0})]}))
    [outcome] = verify_folder(tmp_path).families[0].outcomes
    assert outcome.state == "failed"
    assert "No module named 'equipoise.analysis.verification.absent'" in outcome.problems[0]


def test_an_unknown_family_fails_its_cases_and_comes_last(tmp_path):
    for name in ("astrology", "segmentation"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cases.json").write_text(json.dumps({"cases": [case("a", {"x": 1.0})]}))
    report = verify_folder(tmp_path)
    assert [family.family for family in report.families] == ["segmentation", "astrology"]
    assert "there is no family 'astrology'" in report.families[1].outcomes[0].problems[0]


def test_every_case_file_of_a_family_is_run_and_hashed(tmp_path):
    (tmp_path / "roc").mkdir()
    for name, case_id in (("cases.json", "a"), ("cases_bootstrap.json", "b")):
        (tmp_path / "roc" / name).write_text(json.dumps({"cases": [case(case_id, {"x": 1.0})]}))
    report = verify_folder(tmp_path)
    assert [outcome.case_id for outcome in report.families[0].outcomes] == ["a", "b"]
    for name in ("cases.json", "cases_bootstrap.json"):
        expected = hashlib.sha256((tmp_path / "roc" / name).read_bytes()).hexdigest()
        assert report.files[f"roc/{name}"] == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no reference cases"),
        ("{", "is not JSON"),
        ("[]", "list 'cases'"),
        ('{"cases": [1]}', "objects"),
    ],
)
def test_a_folder_without_readable_cases_is_refused(tmp_path, content, words):
    if content is not None:
        (tmp_path / "roc").mkdir()
        (tmp_path / "roc" / "cases.json").write_text(content)
    with pytest.raises(ValueError, match=words):
        verify_folder(tmp_path)


def test_cases_without_a_tolerance_or_id_fail_by_number(family):
    report = family({"a": {"x": 1.0}}, [{"id": "a", "expected": {"x": 1.0}}, {"expected": {"x": 1.0}}])
    assert [outcome.case_id for outcome in report.outcomes] == ["a", "number 2"]
    assert {outcome.state for outcome in report.outcomes} == {"failed"}


def test_the_shipped_set_has_every_family_and_names_its_tools():
    for name in FAMILIES:
        document = json.loads((own_cases_folder() / name / "cases.json").read_text())
        assert document["family"] == name
        assert document["cases"]
        for entry in document["cases"]:
            assert entry["tool"]["name"]
            assert entry["tool"]["version"]
            assert (own_cases_folder() / name / entry["input"]["file"]).is_file()


def test_progress_sees_every_case(tmp_path):
    (tmp_path / "roc").mkdir()
    (tmp_path / "roc" / "cases.json").write_text(json.dumps({"cases": [case(n, {"x": 1.0}) for n in "abc"]}))
    seen = []

    def progress(cases, family, n_cases):
        for entry in cases:
            seen.append((family, entry["id"], n_cases))
            yield entry

    runner.verify_folder(tmp_path, progress=progress)
    assert seen == [("roc", "a", 3), ("roc", "b", 3), ("roc", "c", 3)]
