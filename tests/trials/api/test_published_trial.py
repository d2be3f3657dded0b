"""The published answers of 40 participants, imported into a trial, give the published table."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from equipoise.jobs.inline import jobs_run_inline
from tests.factories import trials as factory

pytestmark = [pytest.mark.django_db, pytest.mark.db, pytest.mark.shared]


def test_imported_answers_reproduce_the_published_preference_scores(fixtures_folder):
    folder = fixtures_folder / "duneai"
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    expected = {case["id"]: case["expected"] for case in cases}
    world = factory.preference_world(cases=2, **{"items.selection.count": 2, "allocation.hidden_repeats": {}})
    client = Client()
    client.force_login(world.administrator)
    base = f"/api/v1/trials/{world.trial.id}"
    body = {
        "file": SimpleUploadedFile("preference.csv", (folder / "data" / "preference.csv").read_bytes()),
        "algorithm_mark": "dl_score",
        "other_mark": "dr_score",
        "both": "algorithm",
        "neither": "against",
        "group_column": "speciality",
    }
    table = client.post(f"{base}/external-tables", body).json()
    counts = expected["pref_counts"]
    problems = [row["problem"] for row in table["surfaced"]]
    assert table["imported"] == counts["rows_total"]
    assert problems.count("both") == counts["rows_both_1"]
    assert problems.count("neither") == counts["rows_both_0"]
    asked = {"name": "preference", "external_table": table["id"], "options": {"n_resamples": 20}}
    answer = client.post(f"{base}/analyses", json.dumps(asked), content_type="application/json")
    assert answer.status_code == 202, answer.content
    assert [job.state for job in jobs_run_inline()] == ["succeeded"]
    (analysis,) = client.get(f"{base}/analyses").json()["results"]
    assert analysis["exploratory"] is True
    latex, workbook = (client.get(analysis["tables"][0][name]) for name in ("latex_url", "xlsx_url"))
    assert (latex.status_code, workbook.status_code) == (200, 200)
    assert latex.content.startswith(b"% \\usepackage{booktabs}")
    for case, subject in (
        ("pref_overall", {}),
        ("pref_students", {"group": "Student"}),
        ("pref_medical_doctors", {"group": "Medical Doctor"}),
    ):
        for name in ("median", "iqr", "mean"):
            (found,) = [
                one
                for one in analysis["numbers"]
                if one["quantity"] == f"preference_score.{name}" and one["subject"] == subject
            ]
            assert found["value"] == pytest.approx(expected[case][name], abs=1e-9)
