"""The door, the plan and the command line: what they take, what they refuse, and what they leave unloaded."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from equipoise.analysis import ANALYSIS_NAMES, AnalysisInputError, AnalysisPlan, run_analysis
from equipoise.analysis.registry import analysis_method
from equipoise.cli.main import main

READINGS = (
    "participant,case,score,decision\nR1,C1,0.1,0\nR1,C2,0.4,0\nR1,C3,0.35,0\nR1,C4,0.8,1\nR1,C5,0.6,1\n"
)
TRUTH = "case,truth\nC1,0\nC2,0\nC3,1\nC4,1\nC5,1\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "readings.csv").write_text(READINGS, encoding="utf-8")
    (tmp_path / "truth.csv").write_text(TRUTH, encoding="utf-8")
    return tmp_path


def command(capsys, *arguments):
    """Run the command line in this process; return exit code, standard output and standard error."""
    try:
        main(["analyse", *map(str, arguments)])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_ten_analyses_have_a_method_each():
    assert ANALYSIS_NAMES == (
        "preference", "reading-time", "roc", "mrmc", "operating-point", "agreement", "observer-variability",
        "segmentation-performance", "survival", "survey",
    )  # fmt: skip
    for name in ANALYSIS_NAMES:
        method = analysis_method(name)
        version = "2" if name == "survey" else "1"
        assert (method.name, bool(method.statement), method.version) == (name, True, version)


def test_the_command_writes_results_tables_and_figures(files, capsys):
    code, out, err = command(
        capsys,
        "roc",
        "--readings",
        files / "readings.csv",
        "--truth",
        files / "truth.csv",
        "--output",
        files / "out",
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "The area under the ROC curve of R1 was 0.83 (95 % CI 0.37 to 1.00), n = 5."
    assert sorted(p.name for p in (files / "out" / "figures").iterdir()) == ["roc.csv", "roc.png", "roc.svg"]
    assert json.loads((files / "out" / "results.json").read_text(encoding="utf-8"))["name"] == "roc"


def test_figures_can_be_skipped_and_formats_chosen(files, capsys):
    arguments = (
        "roc",
        "--readings",
        files / "readings.csv",
        "--truth",
        files / "truth.csv",
        "--output",
        files / "out",
    )
    assert command(capsys, *arguments, "--no-figures")[0] == 0
    assert [p.name for p in (files / "out" / "figures").iterdir()] == ["roc.csv"]
    assert command(capsys, *arguments, "--formats", "pdf")[0] == 0
    assert sorted(p.name for p in (files / "out" / "figures").iterdir()) == ["roc.csv", "roc.pdf"]
    assert command(capsys, *arguments, "--formats", "tiff") == (
        2,
        "",
        "--formats: 'tiff' is not one of svg, png, pdf.\n",
    )


def test_bad_input_exits_2_with_one_sentence_per_problem(files, capsys):
    (files / "readings.csv").write_text("participant,case,score\nR1,C1,high\nR1,C1,0.5\n", encoding="utf-8")
    code, out, err = command(
        capsys,
        "roc",
        "--readings",
        files / "readings.csv",
        "--truth",
        files / "truth.csv",
        "--output",
        files / "out",
    )
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "readings.csv row 2, column score: 'high' is not a number.",
        "readings.csv row 3: a second row for participant R1, case C1 (first in row 2).",
    ]
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ("rocs", "--output", "out"),
            "There is no analysis 'rocs'. Choose one of: preference, reading-time, roc,",
        ),
        (("roc",), "Name the folder for the results: --output DIR."),
        (("roc", "--output", "out"), "The analysis 'roc' needs the table 'readings'."),
        (("roc", "--output", "out", "--set", "threshold"), "--set threshold: write NAME=VALUE."),
        (
            ("roc", "--output", "out", "--set", "colour=red"),
            "There is no parameter 'colour'. Known: interval,",
        ),
        (
            ("roc", "--output", "out", "--set", "n_resamples=many"),
            "Parameter n_resamples: 'many' is not a number.",
        ),
        (
            ("survival", "--output", "out", "--set", "ties=exact"),
            "Parameter ties: 'exact' is not one of efron, breslow.",
        ),
        (
            ("roc", "--output", "out", "--survival", "x.csv"),
            "The analysis 'roc' does not take the table 'survival'",
        ),
    ],
)
def test_wrong_commands_are_refused_in_a_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = command(capsys, *arguments)
    assert code == 2
    assert any(line.startswith(sentence) for line in err.splitlines()), err


def test_the_names_can_be_listed(capsys):
    assert command(capsys, "list") == (0, "\n".join(ANALYSIS_NAMES) + "\n", "")


def test_a_plan_gives_role_level_seed_parameters_and_columns(files, capsys):
    (files / "plan.yaml").write_text(
        "analyses:\n"
        "  - name: mrmc\n"
        "  - name: roc\n"
        "    role: secondary\n"
        "    confidence_level: 0.9\n"
        "    seed: 17\n"
        "    parameters: {interval: bootstrap, n_resamples: 100}\n"
        "    columns: {readings: {participant: who}}\n",
        encoding="utf-8",
    )
    (files / "readings.csv").write_text(READINGS.replace("participant", "who"), encoding="utf-8")
    code, _, err = command(
        capsys, "roc", "--readings", files / "readings.csv", "--truth", files / "truth.csv",
        "--plan", files / "plan.yaml", "--output", files / "out", "--no-figures",
    )  # fmt: skip
    assert (code, err) == (0, "")
    document = json.loads((files / "out" / "results.json").read_text(encoding="utf-8"))
    assert (document["role"], document["confidence_level"], document["rng_seed"]) == ("secondary", 0.9, 17)
    assert document["parameters"]["interval"] == "bootstrap"
    (area,) = [n for n in document["numbers"] if n["quantity"] == "auc"]
    assert area["interval"]["method"].startswith("empirical AUC, percentile bootstrap")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("role: main\n", "The plan's role 'main' is not one of primary, secondary, exploratory."),
        ("confidence_level: 95\n", "The plan's confidence_level 95 is not between 0.5 and 1 (0.95 is 95 %)."),
        ("seed: -1\n", "The plan's seed -1 is not a whole number from 0 up."),
        ("colour: red\n", "The plan of 'roc' has the unknown key 'colour'."),
        ("- a\n- b\n", "The plan is not a mapping of keys to values."),
        ("a: [\n", "plan.yaml: this is not YAML:"),
    ],
)
def test_bad_plans_are_refused(tmp_path, text, sentence):
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnalysisInputError) as caught:
        AnalysisPlan.from_yaml(path, "roc")
    assert caught.value.problems[0].startswith(sentence), caught.value.problems


def test_an_analysis_that_the_plan_does_not_name_is_exploratory(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("analyses:\n  - {name: mrmc, role: primary}\n", encoding="utf-8")
    assert AnalysisPlan.from_yaml(path, "roc") == AnalysisPlan(role="exploratory")


def test_roc_without_figures_loads_neither_pandas_nor_matplotlib_nor_a_framework(files):
    program = (
        "import sys\n"
        "from equipoise.cli.main import main\n"
        f"arguments = ['analyse', 'roc', '--readings', {str(files / 'readings.csv')!r}, '--truth', "
        f"{str(files / 'truth.csv')!r}, '--output', {str(files / 'out')!r}, '--no-figures']\n"
        "try:\n    main(arguments)\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'pandas', 'matplotlib', 'statsmodels', 'django', 'celery', 'torch', 'scipy.stats'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_help_names_every_option():
    from equipoise.cli.main import app

    shown = CliRunner().invoke(app, ["analyse", "--help"]).output
    for option in (
        "--readings",
        "--truth",
        "--segmentations",
        "--survival",
        "--plan",
        "--output",
        "--set",
        "--seed",
    ):
        assert option in shown


def test_paths_tables_and_frames_are_taken_alike(files):
    import pandas as pd

    from_paths = run_analysis("roc", {"readings": files / "readings.csv", "truth": files / "truth.csv"})
    frames = {name: pd.read_csv(files / f"{name}.csv") for name in ("readings", "truth")}
    from_frames = run_analysis("roc", frames)
    assert from_frames.data_sha256 == from_paths.data_sha256
    assert from_frames.numbers == from_paths.numbers
