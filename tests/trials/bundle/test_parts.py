"""Results of a part of the readings are files of the bundle, come of its tables again, and come back with it."""

import json
from types import SimpleNamespace

import pytest
from openpyxl import load_workbook

from equipoise.common.errors import ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from tests.factories.accounts import AccountFactory
from tests.trials.bundle.r_environment import computed_in_r, has_r, reproduced_in_r
from tests.trials.bundle.test_bundle import reproduced
from tests.trials.bundle.worlds import preference_finished
from trials.domain.bundle import bundle_problems
from trials.reports.bundle import write_bundle
from trials.reports.public_bundle import write_public_bundle
from trials.selectors.parts import parts_of
from trials.services.acts import Actor
from trials.services.analysis import analysis_request
from trials.services.bundle_import import bundle_import

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def of_part(world, where, options=None):
    """Return a finished analysis of a part of the readings."""
    analysis = analysis_request(
        world.trial,
        name="preference",
        options=options or {},
        external_table=None,
        actor=world.actor,
        where=where,
    )
    job_run_inline(analysis.job_id)
    analysis.refresh_from_db()
    assert analysis.state == "succeeded", analysis.message
    return analysis


def told_by_key(folder):
    index = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {entry["results"].split("/")[1]: entry for entry in index["analyses"]}, index["not_computed"]


def test_parts_are_files_of_the_bundle_and_come_of_its_tables_again(tmp_path):
    world = preference_finished()
    for number, case in enumerate(world.trial.cases.filter(purpose="trial").order_by("code")):
        case.covariates = {"site": "AB"[number % 2], "age": 50 + number}
        case.save(update_fields=["covariates"])
    [group, _] = next(one.values for one in parts_of(world.trial) if one.column == "group")
    of_part(world, {"group": group})
    of_group = of_part(world, {"group": group})
    of_site = of_part(world, {"site": "A"})
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    assert bundle_problems(folder) == []
    told, _ = told_by_key(folder)
    assert {key for key in told if "-part-" in key} == {"preference-part-1", "preference-part-2"}
    for key, analysis, tables in (
        ("preference-part-1", of_group, {"readings": "readings.csv"}),
        ("preference-part-2", of_site, {"readings": "readings.csv", "truth": "truth.csv"}),
    ):
        assert told[key]["numbers"] == analysis.results["numbers"] != told["preference"]["numbers"]
        assert (told[key]["planned"], told[key]["role"]) == (False, "exploratory")
        assert told[key]["tables"] == tables
    assert (folder / "parts.csv").read_text(encoding="utf-8") == (
        f"analysis,column,value\npreference-part-1,group,{group}\npreference-part-2,site,A\n"
    )
    titles = load_workbook(folder / "tables.xlsx", read_only=True).sheetnames
    for key, analysis in (("preference-part-1", of_group), ("preference-part-2", of_site)):
        assert sum(one.startswith(f"{key} ") for one in titles) == len(analysis.results["tables"]) > 0
    assert told["preference"]["tables"] == {"readings": "readings.csv"}
    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for key, entry in told.items():
        assert f"{key}: {len(entry['numbers'])} numbers, equal; same data" in done.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        counts = computed_in_r(in_r)
        assert counts["preference-part-1"] >= 20
        assert counts["preference-part-2"] >= 20
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="result-preference-part-1"' in page
    assert "where site is A" in page

    person = AccountFactory.create(is_site_administrator=True)
    actor = Actor(account_id=person.id)
    trial = bundle_import(folder, institute=person.institute, importer=person, slug="brought", actor=actor)
    kept = {
        tuple(one.options.get("where", {}).items()): one for one in trial.analyses.filter(name="preference")
    }
    assert kept[("group", group),].results["numbers"] == of_group.results["numbers"]
    assert kept[("site", "A"),].exploratory is True

    # The imported trial has the same parts, and gives the same numbers of them.
    assert parts_of(trial) == parts_of(world.trial)
    brought = SimpleNamespace(trial=trial, actor=actor)
    for where, analysis in (({"group": group}, of_group), ({"site": "A"}, of_site)):
        again = of_part(brought, where)
        assert (again.results["numbers"], again.data_sha256) == (
            analysis.results["numbers"],
            analysis.data_sha256,
        )
        assert again.options == {"where": where}
    with pytest.raises(ValidationFailedError, match="no part where site is 'nowhere'"):
        of_part(brought, {"site": "nowhere"})

    # Two readers a group are too few to be told of; the covariate that a part is of stays, the other does not.
    public = tmp_path / "public"
    write_public_bundle(folder, public, secret=b"of the trial")
    again, not_computed = told_by_key(public)
    assert "groups of fewer than five are merged" in not_computed["preference-part-1"]
    assert again["preference-part-2"]["tables"] == told["preference-part-2"]["tables"]
    assert (public / "truth.csv").read_text(encoding="utf-8").startswith("case,item,truth,site\n")
    done = reproduced(public)
    assert done.returncode == 0, done.stdout + done.stderr


ODD = ("-3.5", "=1+1", "-left", "'+both", "@home", "2")


def test_parts_by_values_that_a_spreadsheet_would_run_come_of_the_tables_again(tmp_path):
    world = preference_finished()
    cases = list(world.trial.cases.filter(purpose="trial").order_by("code"))
    for number, case in enumerate(cases):
        case.covariates = {"=odd": ODD[number % len(ODD)]}
        case.save(update_fields=["covariates"])
    used = ODD[: len(cases)]
    by_value = {value: of_part(world, {"=odd": value}) for value in used}
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    cells = (folder / "truth.csv").read_text(encoding="utf-8").splitlines()
    assert cells[0].endswith(",'=odd")
    told, not_computed = told_by_key(folder)
    assert not_computed == {}
    parts = {key: entry for key, entry in told.items() if "-part-" in key}
    assert len(parts) == len(used)
    assert {line.rpartition(",")[2] for line in cells[1:]} - {""} == {
        "-3.5" if value == "-3.5" else value if value == "2" else f"'{value}" for value in used
    }
    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for key, entry in parts.items():
        assert f"{key}: {len(entry['numbers'])} numbers, equal; same data" in done.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        counts = computed_in_r(in_r)
        assert all(counts[key] > 0 for key in parts)

    person = AccountFactory.create(is_site_administrator=True)
    actor = Actor(account_id=person.id)
    trial = bundle_import(folder, institute=person.institute, importer=person, slug="brought", actor=actor)
    assert parts_of(trial) == parts_of(world.trial)
    brought = SimpleNamespace(trial=trial, actor=actor)
    for value, analysis in by_value.items():
        assert of_part(brought, {"=odd": value}).data_sha256 == analysis.data_sha256

    public = tmp_path / "public"
    write_public_bundle(folder, public, secret=b"of the trial")
    done = reproduced(public)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'=odd" in (public / "truth.csv").read_text(encoding="utf-8").splitlines()[0]
