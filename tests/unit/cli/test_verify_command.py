"""`equipoise verify` as a person sees it."""

import json
import sys
from types import ModuleType

import pytest

from equipoise.analysis.verification import Superseded
from equipoise.cli.main import main

TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["verify", *map(str, arguments)])
    return stop.value.code or 0


@pytest.fixture
def folder(monkeypatch, tmp_path):
    module = ModuleType("equipoise.analysis.verification.roc")
    module.NOT_COMPARED = {}
    module.run_case = lambda case, _: (
        Superseded("Section 1.3.") if case["id"] == "other" else {"a": 0.5, "b": 0.5}
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def write(**expected):
        cases = [{"id": name, "expected": value, "tolerance": TOLERANCE} for name, value in expected.items()]
        (tmp_path / "roc").mkdir(exist_ok=True)
        (tmp_path / "roc" / "cases.json").write_text(json.dumps({"cases": cases}))
        return tmp_path

    return write


def test_all_passed_exits_zero(folder, capsys):
    assert run(folder(one={"a": 0.5}, other={"a": 1.0})) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "roc: 1 passed, 0 failed, 1 superseded",
        "  superseded other: Section 1.3.",
        "1 passed, 0 failed",
    ]
    assert printed.err == ""


def test_a_failed_case_is_named_and_exits_one(folder, capsys):
    assert run(folder(one={"a": 0.5}, two={"a": 0.4, "b": 0.4})) == 1
    assert capsys.readouterr().out.splitlines() == [
        "roc: 1 passed, 1 failed",
        "  failed two: a: got 0.5, expected 0.4. (and 1 more)",
        "1 passed, 1 failed",
    ]


def test_a_folder_without_cases_exits_two(tmp_path, capsys):
    assert run(tmp_path) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{tmp_path} holds no reference cases: a family is a folder with a cases.json.\n"


def test_a_record_can_be_filed(folder, tmp_path, capsys):
    record = tmp_path / "record.json"
    assert run(folder(one={"a": 0.5}, two={"a": 0.4}), "--record", record) == 1
    filed = json.loads(record.read_text())
    assert (filed["passed"], filed["failed"], filed["superseded"]) == (1, 1, 0)
    assert filed["cases"][1] == {
        "family": "roc",
        "id": "two",
        "state": "failed",
        "values_compared": 1,
        "problems": ["a: got 0.5, expected 0.4."],
        "rule": None,
    }
    assert filed["versions"]["numpy"]
    assert list(filed["files_sha256"]) == ["roc/cases.json"]
    capsys.readouterr()


def test_without_a_folder_the_shipped_set_is_run(capsys):
    assert run() == 0
    assert capsys.readouterr().out.splitlines() == [
        "segmentation: 5 passed, 0 failed",
        "roc: 5 passed, 0 failed",
        "mrmc: 1 passed, 0 failed",
        "agreement: 5 passed, 0 failed",
        "survival: 1 passed, 0 failed",
        "duneai: 2 passed, 0 failed",
        "19 passed, 0 failed",
    ]
