"""The bundle of a finished trial: what it holds, when it is made, and that its numbers come of its tables again."""

import csv
import gzip
import io
import json
import math
import subprocess
import sys
import warnings
import zipfile

import pydicom
import pytest
import SimpleITK
from openpyxl import load_workbook
from typer.testing import CliRunner

from equipoise.audit.hashing import GENESIS
from equipoise.cli import trial as command
from equipoise.cli.problems import BadInputError
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from equipoise.common.warnings import DegenerateDataWarning
from equipoise.jobs.inline import job_run_inline
from equipoise.stats import mrmc_ustatistics
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.factories.contouring import draw_everything, expert_mask, open_contouring_world
from tests.trials.bundle.r_environment import computed_in_r, has_r, reproduced_in_r
from tests.trials.bundle.worlds import bone_scans_finished, preference_finished, unblind
from trials.domain.bundle import bundle_problems
from trials.domain.states import TrialAction
from trials.models import AlgorithmHeatMap, ReadingEvent, Response
from trials.reports.bundle import write_bundle
from trials.reports.exports import tables_workbook
from trials.services.analysis import analysis_request
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


def run(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def export(world, output, *, account=None):
    person = account or world.administrator
    return run("export", world.trial.slug, "--as", person.email, "--reason", "Archive", "--output", output)


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def reproduced(folder):
    return subprocess.run(
        [sys.executable, str(folder / "reproduce.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def compare_imrmc(folder, numbers):
    """The file alone gives the U-statistics that were reported."""
    head, _, body = (folder / "readings.imrmc").read_text(encoding="utf-8").partition("BEGIN DATA:\n")
    assert "NR: 3\nN0: 6\nN1: 6\nNM: 2\n" in head
    given = [line.split(",") for line in body.splitlines()]
    truth = {case: int(value) for reader, case, _, value in given if reader == "-1"}
    read = [
        {"reader": reader, "case": case, "condition": condition, "score": float(score), "truth": truth[case]}
        for reader, case, condition, score in given
        if reader != "-1"
    ]
    with warnings.catch_warnings():
        # Twelve cases may give a negative estimate of the variance: told as missing, and found missing again.
        warnings.simplefilter("ignore", DegenerateDataWarning)
        [found] = mrmc_ustatistics(read).differences
    [told] = [one for one in numbers if one["quantity"] == "difference.u_statistics"]
    assert abs(found.estimate) == pytest.approx(abs(told["value"]), abs=1e-12)
    standard_error = math.nan if told["standard_error"] is None else told["standard_error"]
    assert found.standard_error == pytest.approx(standard_error, abs=1e-12, nan_ok=True)


def compare_rjafroc(folder, readings, truth):
    """The sheets hold every score of the cases that everybody has scored, by the codes beside them."""
    book = load_workbook(folder / "readings-rjafroc.xlsx")
    truth_rows = list(book["Truth"].iter_rows(values_only=True))
    assert truth_rows[0] == ("CaseID", "LesionID", "Weight", "ReaderID", "ModalityID", "Paradigm")
    assert {row[3:5] for row in truth_rows[1:]} == {("1, 2, 3", "1, 2")}
    assert [row[5] for row in truth_rows[1:4]] == ["ROC", "FCTRL", None]
    codes = {(row["what"], row["number"]): row["code"] for row in rows(folder, "codes.csv")}
    diseased = {row["case"] for row in truth if row["truth"] == "1"}
    by_reading = {(row["participant"], row["condition"], row["case"]): row["score"] for row in readings}
    held = [(*row[:3], row[4], True) for row in book["TP"].iter_rows(min_row=2, values_only=True)]
    held += [(*row, False) for row in book["FP"].iter_rows(min_row=2, values_only=True)]
    for reader, condition, case, score, is_diseased in held:
        code = codes["case", str(case)]
        assert score == float(by_reading[codes["reader", reader], codes["condition", condition], code])
        assert is_diseased == (code in diseased)
    assert len(held) == 3 * 2 * (len(truth_rows) - 1)
    missing = {row["case"] for row in readings if row["participant_kind"] == "reader" and not row["score"]}
    kept = {codes["case", str(row[0])] for row in truth_rows[1:]}
    assert kept == {row["case"] for row in truth} - missing


# --- when, and for whom --------------------------------------------------------------------------------------------


def test_no_bundle_before_unblinding(tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    for action in (None, TrialAction.CLOSE, TrialAction.DATA_LOCK):
        if action is not None:
            world.act(action)
        with pytest.raises(StateConflictError, match="made after unblinding"):
            write_bundle(world.trial, tmp_path / "refused")
        assert not (tmp_path / "refused").exists()
    exported = export(world, tmp_path / "tables")
    assert exported.exit_code == 0, exported.output
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        "readings.csv",
        "readings.json",
        "readings.parquet",
        "environments.csv",
        "tables.xlsx",
    }
    told = rows(tmp_path / "tables", "readings.csv")
    assert {row[name] for row in told for name in ("preferred", "left_source", "choice_side")} == {""}
    refused = export(world, tmp_path / "bundle.zip")
    assert isinstance(refused.exception, BadInputError)
    assert not (tmp_path / "bundle.zip").exists()


def test_a_trial_that_nobody_can_have_read_has_nothing_to_export(tmp_path):
    world = factory.preference_world()
    refused = export(world, tmp_path / "out")
    assert isinstance(refused.exception, BadInputError)
    assert "there are no readings" in str(refused.exception)
    assert not (tmp_path / "out").exists()


def test_whoever_may_not_see_results_gets_no_bundle(tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    manager = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, manager, Role.DATA_MANAGER, actor=world.actor)
    exported = export(world, tmp_path / "out", account=manager)
    assert exported.exit_code == 0, exported.output
    assert not (tmp_path / "out" / "results.json").exists()
    assert "for whoever may see results" in exported.output


def test_a_bundle_takes_an_empty_folder(tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    refused = export(world, tmp_path)
    assert isinstance(refused.exception, BadInputError)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# --- what it holds -------------------------------------------------------------------------------------------------


def test_preference_bundle_holds_everything_and_gives_its_numbers_again(tmp_path):
    world = preference_finished()
    analysis = analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )
    job_run_inline(analysis.job_id)
    analysis.refresh_from_db()
    folder = tmp_path / "bundle"
    exported = export(world, folder)
    assert exported.exit_code == 0, exported.output
    assert bundle_problems(folder) == []

    protocol = world.trial.protocol_versions.get()
    assert (folder / "protocol/version-1.yaml").read_text(encoding="utf-8") == protocol.text
    assert read(folder, "protocol/version-1.json")["sha256"] == protocol.sha256
    assert read(folder, "trial.json")["data_sha256"] == world.trial.data_sha256
    assert len(lines(folder, "events.jsonl")) == ReadingEvent.objects.count()
    assert len(lines(folder, "responses.jsonl")) == Response.objects.count()
    assert not (folder / "mrmc").exists()
    assert {row["left_source"] for row in rows(folder, "readings.csv")} == {"expert", "algorithm"}

    trail = lines(folder, "audit/trail.jsonl")
    assert [entry["previous_hash"] for entry in trail] == [GENESIS, *[entry["hash"] for entry in trail[:-1]]]
    assert trail[-1]["subject"] == "export:bundle"
    assert read(folder, "audit/head.json")["head_hash"] == trail[-1]["hash"]

    checked = run("check-allocation", folder / "allocation.json")
    assert checked.exit_code == 0, checked.output
    case = world.trial.cases.order_by("code").first()
    names = {path.name for path in (folder / "masks" / case.code).iterdir()}
    assert names == {"expert.nrrd", "algorithm.nrrd", "rtstruct.dcm", "seg.dcm"}
    mask = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "masks" / case.code / "expert.nrrd")))
    assert int(mask.sum()) == case.contours.get(source="expert").voxel_count

    told = {entry["name"]: entry for entry in read(folder, "results.json")["analyses"]}
    assert {"preference", "reading-time"} <= set(told)
    assert told["preference"]["numbers"] == analysis.results["numbers"]
    assert told["preference"]["data_sha256"] == analysis.data_sha256
    assert told["preference"]["tables"] == {"readings": "readings.csv"}
    assert (folder / "results/preference/figures/preference-histogram.svg").is_file()

    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, entry in told.items():
        assert f"{name}: {len(entry['numbers'])} numbers, equal; same data" in done.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        assert computed_in_r(in_r)["preference"] >= 35
        assert computed_in_r(in_r)["reading-time"] >= 60


def test_control_characters_of_a_comment_stay_in_the_csv_and_show_in_the_workbook(tmp_path):
    """Word puts a vertical tab where a line was broken; no workbook can hold it."""
    world = factory.open_world()
    reader = world.enrol()
    pasted = "=first\x0bsecond \ufffe\tthird"
    for _ in range(reader.readings.filter(phase="practice").count() + 1):
        factory.answer(reader, factory.open_reading(reader), comment=pasted)
    unblind(world)
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    assert "'" + pasted in {row["comment"] for row in rows(folder, "readings.csv")}
    in_workbook = "'=first\ufffdsecond \ufffd\tthird"
    exported = io.BytesIO()
    tables_workbook(world.trial, exported)
    for source in (folder / "tables.xlsx", exported):
        head, *table = load_workbook(source)["readings"].iter_rows(values_only=True)
        assert in_workbook in {row[head.index("comment")] for row in table}


def test_bone_scan_bundle_gives_its_numbers_again_and_finds_a_changed_reading(tmp_path):
    world = bone_scans_finished()
    file = tmp_path / "bundle.zip"
    exported = export(world, file)
    assert exported.exit_code == 0, exported.output
    checked = run("verify-bundle", file)
    assert checked.exit_code == 0, checked.output
    folder = tmp_path / "bundle"
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)

    told = {entry["name"]: entry for entry in read(folder, "results.json")["analyses"]}
    assert {"mrmc", "reading-time"} <= set(told)
    assert told["mrmc"]["tables"] == {"readings": "readings.csv", "truth": "truth.csv"}
    conditions = {
        number["subject"]["condition"]
        for number in told["mrmc"]["numbers"]
        if number["quantity"] == "condition_mean"
    }
    assert conditions == {"aided", "unaided"}
    assert list(rows(folder, "truth.csv")[0]) == ["case", "item", "truth", "site"]
    heat = AlgorithmHeatMap.objects.get()
    [stored] = (folder / "heat-maps" / heat.result.case.code).glob("*.nrrd")
    assert int(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(stored))).max()) == 200

    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mrmc: " in done.stdout
    assert "differ" not in done.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        counts = computed_in_r(in_r)
        assert counts["mrmc"] >= 75
        assert counts["roc"] >= 110
        assert counts["operating-point"] >= 200
        for quantity in ("mrmc condition_mean", "mrmc difference", "mrmc equality", "mrmc auc", "roc auc"):
            assert f"{quantity}," not in in_r.stdout.partition("Not computed here")[2]

    compare_imrmc(folder / "mrmc", told["mrmc"]["numbers"])
    compare_rjafroc(folder / "mrmc", rows(folder, "readings.csv"), rows(folder, "truth.csv"))

    table = rows(folder, "readings.csv")
    diseased = {row["case"] for row in rows(folder, "truth.csv") if row["truth"] == "1"}
    scored = [
        row for row in table if row["score"] and row["participant"] == "R-01" and row["case"] in diseased
    ]
    changed = max(scored, key=lambda row: float(row["score"]))
    changed["score"] = "-1"
    with (folder / "readings.csv").open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    assert bundle_problems(folder) == ["readings.csv was changed: its SHA-256 is not the manifest's."]
    assert run("verify-bundle", folder).exit_code == 1
    again = reproduced(folder)
    assert again.returncode == 1
    assert "data hash differs" in again.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 1
        assert (
            f"mrmc auc participant={changed['participant']};condition={changed['condition']}" in in_r.stdout
        )


def test_what_readers_drew_is_in_the_bundle_of_a_contouring_trial(tmp_path):
    world = open_contouring_world(cases=2)
    for pixels in range(2):
        draw_everything(world.enrol(), pixels=pixels)
    unblind(world)
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    assert bundle_problems(folder) == []
    item = world.trial.items.filter(practice=False).order_by("code").first()
    drawn = SimpleITK.ReadImage(str(folder / "masks" / item.case.code / "R-01-repeat1.nrrd"))
    expert = expert_mask(item.readings.first())
    assert (SimpleITK.GetArrayFromImage(drawn).astype(bool) == expert.array).all()
    segments = pydicom.dcmread(folder / "masks" / item.case.code / "seg.dcm").SegmentSequence
    regions = pydicom.dcmread(folder / "masks" / item.case.code / "rtstruct.dcm").StructureSetROISequence
    named = {path.stem for path in (folder / "masks" / item.case.code).glob("*.nrrd")}
    assert {"R-01-repeat1", "R-02-repeat1", "expert"} <= named
    assert {one.SegmentLabel for one in segments} == named == {one.ROIName for one in regions}
    with gzip.open(folder / "drawings" / item.case.code / "R-01-repeat1-log.json.gz") as log:
        assert json.load(log)
    assert {row["kind"] for row in rows(folder, "segmentations.csv")} == {"reference", "inter", "intra"}
    told = {entry["name"]: entry for entry in read(folder, "results.json")["analyses"]}
    assert told["observer-variability"]["tables"] == {"segmentations": "segmentations.csv"}
    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "observer-variability: " in done.stdout
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        assert "observer-variability dice.median" in in_r.stdout.partition("Not computed here")[2]


def test_files_beside_the_manifest_and_missing_ones_are_named(tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    write_bundle(world.trial, tmp_path / "bundle")
    (tmp_path / "bundle" / "readings.json").unlink()
    (tmp_path / "bundle" / "notes.txt").write_text("mine", encoding="utf-8")
    assert bundle_problems(tmp_path / "bundle") == [
        "readings.json is missing.",
        "notes.txt is not in the manifest.",
    ]
    with pytest.raises(ValueError, match="holds no manifest"):
        bundle_problems(tmp_path)
