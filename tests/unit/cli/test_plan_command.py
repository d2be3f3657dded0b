"""`equipoise plan` as a person sees it."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise.analysis import run_analysis, write_result
from equipoise.analysis.planning.plans import AUCPlan, TimePlan
from equipoise.analysis.planning.studies import PlannedTest
from equipoise.cli.main import main
from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.simulation.streams import stream
from equipoise.stats import VarianceComponents, mrmc, mrmc_power

VAN_DYKE = (
    "--pilot-cases", 114, "--var-interaction", 0.0002004025, "--var-error", 0.0008022883, "--cov1", 0.0003466137,
    "--cov2", 0.0003440748, "--cov3", 0.0002390284,
)  # fmt: skip
SDS = ("--reader-sd", 0.02, "--case-sd", 0.05, "--residual-sd", 0.06)


def run(capsys, *arguments):
    try:
        main(["plan", *map(str, arguments)])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_power_is_printed_with_its_inputs_and_what_would_do(capsys):
    code, out, err = run(
        capsys, "auc", "--difference", -0.043800322, *VAN_DYKE, "--readers", 6, "--cases", 111
    )
    assert (code, err) == (0, "")
    # RJafroc: power 0.5526116, and 251 cases for 6 readers.
    assert out.splitlines() == [
        "Power 0.553 to show a difference of -0.0438003 in AUC, with 6 readers and 111 cases (two-sided alpha 0.05).",
        "With 6 readers, 251 cases are the fewest for a power of 0.8.",
        "With 111 cases, 40 readers are the fewest for a power of 0.8.",
        (
            "Assumed: difference -0.0438003, metric auc, var_interaction 0.000200403, var_error 0.000802288, "
            "cov1 0.000346614, cov2 0.000344075, cov3 0.000239028, pilot_cases 114, readers_are random, "
            "cases_are random."
        ),
        (
            "Standard error 0.02007, 23.2 degrees of freedom; Obuchowski-Rockette, random readers and random cases, by "
            "Hillis, Obuchowski & Berbaum 2011 (equipoise.stats 1.0)."
        ),
        "The share of diseased cases is taken to be the pilot's.",
    ]


def test_the_fewest_cases_are_found_and_everything_is_written(capsys, tmp_path):
    code, out, _ = run(
        capsys, "auc", "--difference", -0.043800322, *VAN_DYKE, "--readers", 6, "--output", tmp_path / "out"
    )
    assert code == 0
    assert out.startswith(
        "Power 0.801 to show a difference of -0.0438003 in AUC, with 6 readers and 251 cases"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "plan.json", "power.csv", "power.png", "power.svg",
    ]  # fmt: skip
    filed = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert (filed["n_readers"], filed["n_cases"], filed["fewest_cases_for_these_readers"]) == (6, 251, 251)
    assert filed["power"] == pytest.approx(0.8005403, abs=1e-6)
    rows = (tmp_path / "out" / "power.csv").read_text().splitlines()
    assert rows[0] == "readers,cases,power"
    assert f"6,251,{filed['power']}" in rows


def test_a_pilot_analysed_by_the_platform_is_planned_from(capsys, tmp_path):
    study = RoeMetzModel.with_aucs((0.8, 0.9)).draw(stream(4, 0), n_readers=4, n_positive=20, n_negative=30)
    table = study.table(("A", "B"))
    readings = {
        "participant": table["reader"], "case": table["case"], "condition": table["condition"],
        "score": table["score"],
    }  # fmt: skip
    truth = dict(zip(table["case"], table["truth"], strict=True))
    of_case = {"case": list(truth), "truth": list(truth.values())}
    write_result(run_analysis("mrmc", {"readings": readings, "truth": of_case}), tmp_path, formats=())
    pilot = tmp_path / "results.json"
    code, out, err = run(
        capsys, "auc", "--pilot", pilot, "--difference", 0.05, "--readers", 8, "--cases", 150
    )
    assert (code, err) == (0, "")
    expected = mrmc_power(mrmc(table), 0.05, n_readers=8, n_cases=150)
    assert out.startswith(f"Power {expected.power:.3f} to show a difference of 0.05 in AUC")
    assert "pilot_cases 50" in out
    code, _, err = run(capsys, "auc", "--pilot", pilot, "--difference", 0.05, "--readers", 8, "--cov1", 0.1)
    assert (code, err) == (2, "Give --pilot or the components, not both.\n")


def test_a_pilot_with_missing_readings_is_refused(capsys, tmp_path):
    study = RoeMetzModel.with_aucs((0.8, 0.9)).draw(stream(4, 0), n_readers=4, n_positive=20, n_negative=30)
    table = study.table(("A", "B"))
    truth = dict(zip(table["case"], table["truth"], strict=True))
    readings = {"participant": "reader", "case": "case", "condition": "condition", "score": "score"}
    tables = {
        "readings": {name: table[own][1:] for name, own in readings.items()},
        "truth": {"case": list(truth), "truth": list(truth.values())},
    }
    write_result(run_analysis("mrmc", tables), tmp_path, formats=())
    code, out, err = run(
        capsys, "auc", "--pilot", tmp_path / "results.json", "--difference", 0.05, "--readers", 8
    )
    assert (code, out) == (2, "")
    assert err == (
        f"{tmp_path / 'results.json'}: a pilot to plan from must be fully crossed: every reader every case in "
        "every condition.\n"
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tables": {"components": {"rows": [1]}}}'])
def test_a_file_that_is_no_pilot_is_refused(capsys, tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    code, out, err = run(capsys, "auc", "--pilot", tmp_path / "x.json", "--difference", 0.05, "--readers", 8)
    assert (code, out) == (2, "")
    assert err == f"{tmp_path / 'x.json'} is not the results.json of `equipoise analyse mrmc`.\n"


def test_preference_is_simulated_with_its_seed_and_error(capsys, tmp_path):
    given = (
        "preference",
        "--share",
        0.75,
        "--readers",
        4,
        "--cases",
        8,
        "--simulate",
        4,
        "--type-1",
        "--seed",
        3,
    )
    code, out, err = run(capsys, *given, "--output", tmp_path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(
        "Power 0.652 to show that the share preferring the algorithm is not 50 %, if it is 75 %, with 4 readers and "
        "8 cases"
    )
    filed = json.loads((tmp_path / "plan.json").read_text())
    for key, words in (
        ("simulated_power", "Simulated power"),
        ("simulated_type_1_error", "Simulated type I error"),
    ):
        found = filed[key]
        assert (found["n_trials"], found["seed"]) == (4, 3)
        assert found["monte_carlo_error"] > 0.0
        assert any(
            line.startswith(
                f"{words} {found['value']:.3f}, Monte-Carlo error {found['monte_carlo_error']:.3f} (4 tr"
            )
            for line in lines
        )
    assert run(capsys, *given)[1].splitlines() == lines[:-1]


def test_dice_and_time_are_planned_with_a_margin(capsys):
    code, out, _ = run(
        capsys,
        "dsc",
        "--difference",
        0.01,
        *SDS,
        "--readers",
        8,
        "--cases",
        40,
        "--margin",
        0.02,
        "--simulate",
        0,
    )
    assert code == 0
    assert out.startswith(
        "Power 0.733 to show non-inferiority in DSC with margin 0.02, if the difference is 0.01, with 8 readers and "
        "40 cases (non-inferiority, one-sided alpha 0.025)."
    )
    code, out, _ = run(
        capsys, "time", "--ratio", 1.0, "--residual-sd", 0.5, "--readers", 8, "--cases", 40, "--margin", 1.1,
        "--simulate", 2,
    )  # fmt: skip
    assert code == 0
    assert "show that the ratio of reading times is below 1.1, if it is 1, with" in out
    assert "Simulated power" in out


def test_times_that_readers_gain_differently_come_with_a_warning(capsys):
    given = ("time", "--ratio", 0.85, "--residual-sd", 0.6, "--readers", 6, "--cases", 40, "--simulate", 0)
    assert "type I error above alpha" not in run(capsys, *given)[1]
    assert (
        "type I error above alpha (--type-1)." in run(capsys, *given, "--reader-sd", 0.1)[1].splitlines()[-1]
    )


def test_cases_of_a_sensitivity_are_the_diseased_ones():
    components = VarianceComponents(0.0, 0.001, 0.004, 0.002, 0.002, 0.001)
    plan = AUCPlan(0.1, components, 30, "sensitivity")
    assert plan.notes == ("Cases are diseased cases: those that enter the sensitivity.",)
    assert plan.aim == "show a difference of 0.1 in sensitivity"


def test_under_the_null_a_margin_is_the_truth():
    plan = TimePlan(0.9, 0.0, 0.0, 0.5, PlannedTest(margin=0.1, higher_is_better=False))
    assert plan.study(4, 8, null=True).log_ratio == 0.1
    assert plan.study(4, 8).log_ratio == pytest.approx(-0.1053605)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("dsc", "--difference", 0.03, *SDS), "Give --readers, --cases or both."),
        (
            ("auc", "--difference", 0.05, "--readers", 5, "--cov1", 0.1),
            "Without --pilot, also give --var-interaction, --var-error, --cov2, --cov3, --pilot-cases.",
        ),
        (
            ("dsc", "--difference", 0.001, *SDS, "--readers", 3),
            "With 3 readers not even 5000 cases reach a power of 0.8: plan more readers.",
        ),
        (
            ("dsc", "--difference", 0.001, *SDS, "--cases", 9),
            "With 9 cases not even 200 readers reach a power of 0.8: plan more cases.",
        ),
        (
            ("dsc", "--difference", 0.03, *SDS, "--readers", 1),
            "n_readers must be at least 2 with random readers, got 1.",
        ),
        (
            ("dsc", "--difference", 0.03, *SDS, "--readers", 5, "--fixed", "both"),
            "--fixed is readers or cases, but 'both' was given.",
        ),
        (
            ("dsc", "--difference", 0.03, *SDS, "--readers", 5, "--power", 1.5),
            "power must lie strictly between 0 and 1, got 1.5.",
        ),
        (("preference", "--share", 58, "--readers", 9), "share must lie strictly between 0 and 1, got 58.0."),
        (
            ("preference", "--share", 0.6, "--readers", 9, "--simulate", 1),
            "--simulate must be 0 or at least 2.",
        ),
        (
            ("preference", "--share", 0.6, "--readers", 9, "--simulate", 0, "--type-1"),
            "--type-1 simulates: give --simulate too.",
        ),
        (
            ("time", "--ratio", -1, "--residual-sd", 0.5, "--readers", 5),
            "--ratio must be positive, but -1.0 was given.",
        ),
        (
            ("time", "--ratio", 0.9, "--residual-sd", 0.5, "--readers", 5, "--margin", 0.1),
            "--margin is a ratio of times above 1, but 0.1 was given.",
        ),
        (
            ("auc", "--difference", 0.05, "--readers", 5, "--pilot", "/nowhere.json"),
            "/nowhere.json: No such file or directory.",
        ),
        (
            ("dsc", "--difference", 0.03, *SDS, "--readers", 5, "--formats", "gif"),
            "--formats: 'gif' is not one of svg, png, pdf.",
        ),
    ],
)
def test_bad_input_gives_a_sentence_and_writes_nothing(capsys, tmp_path, arguments, sentence):
    code, out, err = run(capsys, *arguments, "--output", tmp_path / "out")
    assert (code, out, err) == (2, "", f"{sentence}\n")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_plan_says_so_and_writes_nothing(capsys, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("equipoise.analysis.planning.simulate_power", interrupted)
    code, out, err = run(
        capsys, "dsc", "--difference", 0.03, *SDS, "--readers", 8, "--output", tmp_path / "out"
    )
    assert (code, out, err) == (130, "", "Stopped. Nothing was written.\n")
    assert not (tmp_path / "out").exists()


def test_planning_loads_neither_django_nor_pandas():
    program = (
        "import sys\nfrom equipoise.cli.main import main\n"
        "try:\n    main(['plan', 'dsc', '--difference', '0.03', '--reader-sd', '0.02', '--case-sd', '0.05',"
        " '--residual-sd', '0.06', '--readers', '8', '--simulate', '0'])\nexcept SystemExit:\n    pass\n"
        "print(*sorted({'django', 'pandas', 'matplotlib', 'torch', 'celery'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == ""


PAGE = Path(__file__).resolve().parents[3] / "docs" / "planning.md"


def examples():
    """Yield the arguments and the printed lines of every example of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("    $ equipoise plan "):
            printed = itertools.takewhile(lambda text: text.startswith("    "), lines[number + 1 :])
            yield line.removeprefix("    $ equipoise plan ").split(), [text[4:] for text in printed]


@pytest.mark.parametrize("name", ["auc", "preference", "dsc", "time"])
def test_the_page_prints_what_the_command_prints(capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    ((arguments, printed),) = [example for example in examples() if example[0][0] == name]
    # What is simulated takes minutes; its seed stands on the page.
    asked = [argument for argument in arguments if argument != "--type-1"]
    if name != "auc":
        asked += ["--simulate", "0"]
    code, out, err = run(capsys, *asked)
    assert (code, err) == (0, "")
    assert out.splitlines() == [line for line in printed if not line.startswith("Simulated")]
    assert len([line for line in printed if "seed 20220616" in line]) == 2 * ("--type-1" in arguments)
