"""The published tables of an in-silico trial, imported into a trial as externally collected data, start to bundle."""

import csv
import json
import re
import subprocess
import sys
from copy import deepcopy

import pytest
from openpyxl import Workbook
from typer.testing import CliRunner

from equipoise.cli import trial as command
from equipoise.jobs.inline import job_run_inline
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.reference import analysis_tables as published
from tests.trials.bundle.r_environment import has_r, reproduced_in_r
from trials.domain.states import TrialAction
from trials.reports.public_bundle import write_public_bundle
from trials.services.acts import Actor
from trials.services.analysis import analysis_request
from trials.services.bundle_import import bundle_import

pytestmark = [pytest.mark.django_db, pytest.mark.db, pytest.mark.shared]

SUBGROUPS = {
    "subgroups": "pet,atelectasis,volume,slice_thickness_mm,location",
    "slice_thickness_mm": "[0, 2.5);[2.5, 5);[5, 7.5)",
    "against": "slice_thickness_mm=[5, 7.5)",
    "published_hd95_below": "100",
}
PAPER_TIMES = {"time_divisor": "30", "censor_after": "100", "interval": "log", "time_unit": "months"}
FOLLOW_UP = [{"column": "time", "in_file": "Surv_time_days"}, {"column": "event", "in_file": "Status"}]
DATA = {
    "survey": ("readings", "preference", [{"column": "group", "in_file": "speciality"}]),
    "times": ("readings", "reading-time", []),
    "repeats": ("segmentations", "observer-variability", []),
    "pairs": ("segmentations", "observer-variability", []),
    "test_set": ("segmentations", "segmentation-performance", []),
    "lung1": ("survival", "survival", FOLLOW_UP),
    "stanford": ("survival", "survival", FOLLOW_UP),
}
PARAMETERS = {
    "survey": {
        "algorithm_mark": "dl_score",
        "other_mark": "dr_score",
        "both": "algorithm",
        "neither": "against",
        "model": "false",
        "n_resamples": "50",
    },
    "times": {"time": "wall_s", "missing": "listwise", "ddof": "0", "published_pairs": "Dr4:DL,Dr5:DL"},
    "repeats": {"algorithms": "DL", "published_pairs": "Dr4:DL,Dr5:DL", "n_resamples": "50"},
    "pairs": {"n_resamples": "50"},
    "test_set": SUBGROUPS | {"n_resamples": "50"},
    "lung1": PAPER_TIMES | {"measurements": "orig_recist,volume_predicted"},
    "stanford": PAPER_TIMES | {"measurements": "predicted_recist,volume_orig"},
}


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


@pytest.fixture
def cases(fixtures_folder):
    documents = [
        json.loads((fixtures_folder / family / "cases.json").read_text(encoding="utf-8"))
        for family in ("duneai", "survival")
    ]
    return {case["id"]: case["expected"] for document in documents for case in document["cases"]}


def run(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def world_of_published_tables():
    """Return a locked trial whose endpoints are computed from what others collected."""
    endpoints = [
        {
            "key": key,
            "name": key,
            "analysis": analysis,
            "data": key,
            "parameters": [{"name": name, "value": value} for name, value in PARAMETERS[key].items()],
        }
        for key, (_, analysis, _) in DATA.items()
    ]
    primary, *secondary = endpoints
    world = factory.preference_world(
        cases=2,
        **{
            "items.selection.count": 2,
            "allocation.hidden_repeats": {},
            "external_data": [
                {
                    "key": key,
                    "table": table,
                    "collected": "By spreadsheet, before.",
                    "columns": deepcopy(columns),
                }
                for key, (table, _, columns) in DATA.items()
            ],
            **{f"analysis_plan.primary.{name}": value for name, value in primary.items()},
            "analysis_plan.secondary": secondary,
        },
    )
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def as_csv(path, columns):
    names = list(columns)
    with path.open("w", encoding="utf-8", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(names)
        writer.writerows(zip(*(columns[name] for name in names), strict=True))
    return path


def as_workbook(path, columns):
    book = Workbook()
    names = list(columns)
    book.active.append(names)
    for row in zip(*(columns[name] for name in names), strict=True):
        book.active.append([float(cell) if _is_number(cell) else cell for cell in row])
    book.save(path)
    return path


def _is_number(text):
    return text not in {"inf", ""} and text.replace(".", "", 1).isdigit()


def follow_up(path):
    rows = published.rows_of(path)
    return published.columns_of([{"case": f"P{n:03d}", **row} for n, row in enumerate(rows, 1)])


def files_of(folder, target):
    data, survival = folder / "duneai" / "data", folder / "survival" / "data"
    return {
        "survey": data / "preference.csv",
        "times": as_workbook(target / "times.xlsx", published.reading_times(data / "time.csv")),
        "repeats": as_csv(target / "repeats.csv", published.repeated_contours(data / "intra_dsc.csv")),
        "pairs": as_workbook(target / "pairs.xlsx", published.pairs_between_readers(data / "inter_dsc.csv")),
        "test_set": as_csv(
            target / "test.csv", published.contours_against_reference(data / "segmentation_test.csv")
        ),
        "lung1": as_csv(target / "lung1.csv", follow_up(survival / "dune_lung1.csv")),
        "stanford": as_workbook(target / "stanford.xlsx", follow_up(survival / "dune_stanford.csv")),
    }


def close(expected, rel=1e-9):
    return pytest.approx(expected, rel=rel, abs=1e-12)


def number(told, quantity, **subject):
    (found,) = [n for n in told["numbers"] if n["quantity"] == quantity and n["subject"] == subject]
    return found


def test_published_tables_come_out_of_a_trial(fixtures_folder, cases, tmp_path):
    world = world_of_published_tables()
    options = ("--as", world.administrator.email)
    world.act(TrialAction.CLOSE)
    refused = run("data-lock", world.trial.slug, *options, "--reason", "Too early")
    assert "Every table of external data" in str(refused.exception)
    for key, file in files_of(fixtures_folder, tmp_path).items():
        done = run("import-table", world.trial.slug, file, *options, "--data", key)
        assert done.exit_code == 0, done.exception
    for action in (TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    folder = tmp_path / "bundle"
    done = run("export", world.trial.slug, *options, "--reason", "Published", "--output", folder)
    assert done.exit_code == 0, done.exception
    assert done.output.count("could not be computed") == 0

    index = json.loads((folder / "results.json").read_text(encoding="utf-8"))["analyses"]
    told = {
        entry["data"]: json.loads((folder / entry["results"]).read_text(encoding="utf-8")) for entry in index
    }
    assert [entry["planned"] for entry in index] == [True] * len(DATA)
    assert set(told) == set(DATA)
    assert told["survey"]["role"] == "primary"
    assert {one["role"] for key, one in told.items() if key != "survey"} == {"secondary"}
    assert all(one["notes"][0].startswith("Externally collected data") for one in told.values())
    _preference(told["survey"], cases)
    _times(told["times"], cases)
    _observers(told["repeats"], told["pairs"], cases)
    _performance(told["test_set"], cases)
    for key, (dataset, names) in {
        "lung1": ("dune_lung1", ("orig_recist", "volume_predicted")),
        "stanford": ("dune_stanford", ("predicted_recist", "volume_orig")),
    }.items():
        for name in names:
            _survival(told[key], name, cases[f"{dataset}_{name}_paper"])

    _again(folder)
    _public(folder, tmp_path / "public")
    _brought(folder, told)


def _preference(told, cases):
    for case, subject in (
        ("pref_overall", {}),
        ("pref_students", {"group": "Student"}),
        ("pref_medical_doctors", {"group": "Medical Doctor"}),
    ):
        for name in ("median", "iqr", "q1", "q3", "mean"):
            assert number(told, f"preference_score.{name}", **subject)["value"] == close(cases[case][name])
    assert number(told, "rows_marking_both")["value"] == cases["pref_counts"]["rows_both_1"]


def _times(told, cases):
    readers, algorithm = cases["time_doctors"], cases["time_dl"]
    mean = number(told, "time.mean", participant_kind="reader")
    assert (mean["n"], mean["value"]) == (readers["n_values"], close(readers["mean"]))
    assert number(told, "time.sd", participant_kind="reader")["value"] == close(readers["sd_ddof0"])
    assert number(told, "time.mean", participant_kind="algorithm")["value"] == close(algorithm["mean"])
    test = number(told, "time.mann_whitney", first="Dr4", second="DL")
    assert test["pvalue"] == close(cases["time_mw_dr4_dl"]["p_bonferroni"])


def _observers(repeats, pairs, cases):
    median = number(repeats, "dice.median", family="intra-reader")
    assert (median["n"], median["value"]) == (175, close(cases["intra_dsc_doctors"]["median"]))
    test = number(repeats, "intra.mann_whitney", first="Dr5", second="DL")
    assert test["pvalue"] == close(cases["intra_dsc_mw_dr5_dl"]["p_bonferroni"])
    median = number(pairs, "dice.median", family="reader-reader")
    assert median["value"] == close(cases["inter_dsc_all"]["pairs_only"]["median"])


def _performance(told, cases):
    of = {"candidate": "algorithm"}
    overall = cases["seg_test_overall"]
    for metric, name in (("dice", "dsc"), ("surface_dice_1.18", "surface_dsc")):
        assert number(told, f"{metric}.median", **of)["value"] == close(overall[name]["median"])
    assert number(told, "hausdorff_95_mm.median", **of)["value"] == close(overall["h95_all_median"])
    subgroups = cases["seg_test_subgroups"]
    for subgroup, level, key in (
        ("pet", "0", "pet_no"),
        ("volume", ">150", "volume_>150"),
        ("slice_thickness_mm", "[5, 7.5)", "slice_[5;7.5)"),
        ("location", "mediastinum", "location_mediastinum"),
    ):
        found = number(told, "dice.median", **of, subgroup=subgroup, level=level)
        assert (found["n"], found["value"]) == (subgroups[key]["n"], close(subgroups[key]["median"]))
    tests = told["tables"]["subgroup-tests"]
    rows = [dict(zip(tests["columns"], row, strict=True)) for row in tests["rows"]]
    (location,) = [row for row in rows if {row["first"], row["second"]} == {"parenchyma", "chest_wall"}]
    assert location["p_bonferroni"] == close(
        cases["seg_test_mw"]["location parenchyma vs chest_wall"]["p_bonferroni"]
    )


def _survival(told, name, expected):
    test = number(told, "log_rank", groups=name)
    assert test["n"] == expected["n"]
    assert test["statistic"] == close(expected["logrank"]["chisq"], 1e-6)
    assert test["pvalue"] == close(expected["logrank"]["p"], 1e-6)
    cox = number(told, "hazard_ratio", measurement=name, scale="per unit")
    wanted = expected["cox_continuous_efron"]
    assert cox["value"] == close(wanted["hr"], 1e-5)
    assert [cox["interval"]["low"], cox["interval"]["high"]] == close(wanted["hr_ci95"], 1e-5)
    assert number(told, "c_index", measurement=name)["value"] == close(wanted["c_index"], 1e-6)
    for curve in expected["km"]:
        median = number(told, "median_survival", groups=name, group=curve["group"])
        if curve["median_log"]["median"] is None:
            assert (median["value"], median["reason"]) == (None, "not reached")
        else:
            assert median["value"] == close(curve["median_log"]["median"], 1e-6)


def _again(folder):
    done = subprocess.run(
        [sys.executable, str(folder / "reproduce.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal; same data") == len(DATA)
    if has_r("survival"):
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        for key in ("survival.lung1", "survival.stanford"):
            (line,) = [one for one in in_r.stdout.splitlines() if one.startswith(f"{key}: ")]
            computed, of_all = (int(word) for word in line.split() if word.isdigit())
            assert (line.endswith("equal"), computed == of_all) == (True, True), in_r.stdout


def _public(folder, public):
    """The public form holds the tables by other codes, with the columns that are analysed, and gives every number."""
    made = write_public_bundle(folder, public, secret=b"of the trial")
    assert made.not_computed == {}
    done = subprocess.run(
        [sys.executable, str(public / "reproduce.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal; same data") == len(DATA)
    for path in public.rglob("*.csv"):
        assert re.search(r"\bDr\d\b", path.read_text(encoding="utf-8")) is None, path
    with (public / "external" / "lung1.csv").open(encoding="utf-8", newline="") as source:
        head, first, *_ = csv.reader(source)
    assert set(head) == {"case", "time", "event", "orig_recist", "volume_predicted"}
    assert first[head.index("case")].startswith("case-")
    [told] = [
        one
        for one in json.loads((public / "external/index.json").read_text(encoding="utf-8"))
        if one["key"] == "lung1"
    ]
    assert not {"file_name", "file_sha256", "collected", "imported_at"} & set(told)


def _brought(folder, told):
    """The bundle comes back as a trial that holds the tables, and analyses of them give the numbers again."""
    person = AccountFactory.create(is_site_administrator=True)
    actor = Actor(account_id=person.id)
    trial = bundle_import(folder, institute=person.institute, importer=person, slug="brought", actor=actor)
    kept = {one.data_key: one for one in trial.analyses.all()}
    assert {key: one.results["numbers"] for key, one in kept.items()} == {
        key: one["numbers"] for key, one in told.items()
    }
    table = trial.external_tables.get(key="stanford")
    again = analysis_request(trial, name="survival", options={}, external_table=table, actor=actor)
    assert again.exploratory is False
    job_run_inline(again.job_id)
    again.refresh_from_db()
    assert again.results["numbers"] == told["stanford"]["numbers"]
    assert again.data_sha256 == told["stanford"]["data_sha256"]
