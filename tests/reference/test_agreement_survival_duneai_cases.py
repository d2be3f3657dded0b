"""Every shared reference case of a family passes within its own tolerance through the public functions."""

import json
import warnings

import pytest

from equipoise.analysis.verification.runner import run_one
from equipoise.common.warnings import DegenerateDataWarning

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("family, at_least", [("agreement", 37), ("survival", 10), ("duneai", 18)])
def test_every_case_of_the_family_passes(fixtures_folder, family, at_least):
    folder = fixtures_folder / family
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    assert len(cases) >= at_least
    failed = {}
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DegenerateDataWarning
            )  # a group of one patient is among the cases
            outcome = run_one(family, case, folder)
        if outcome.state != "passed":
            failed[outcome.case_id] = outcome.problems
    assert failed == {}
