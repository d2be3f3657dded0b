"""The lazy command-line shell: quick, and plain about problems."""

import re
import subprocess
import sys

import pytest
import typer

from equipoise.cli import main as shell
from equipoise.cli.problems import BadInputError, problems_of, refuse
from equipoise.common.errors import DomainError, ValidationFailedError


def run(*arguments):
    program = "from equipoise.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_names_every_installed_subcommand_and_exits_zero():
    answer = run("--help")
    assert answer.returncode == 0
    listed = re.findall(r"^  (\w+)  ", answer.stdout, flags=re.MULTILINE)
    assert listed == [name for name in shell.COMMANDS if name in listed]
    assert {"metrics", "verify"} <= set(listed)
    assert answer.stderr == ""


def test_help_loads_nothing_heavy_and_little_time():
    program = (
        "import resource, sys\n"
        "from equipoise.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "heavy = {'numpy', 'scipy', 'pandas', 'django', 'celery', 'torch', 'SimpleITK', 'rich'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy), 'cpu_s:', used.ru_utime + used.ru_stime)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    last = answer.stdout.splitlines()[-1]
    assert "heavy: []" in last
    assert float(last.rpartition(" ")[2]) <= 0.25


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["verify", "--nonsense"], ["metrics"]])
def test_a_mistyped_call_exits_two_with_a_sentence(arguments):
    answer = run(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "Error: " in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_version_is_printed():
    answer = run("--version")
    assert answer.returncode == 0
    assert re.fullmatch(r"equipoise \d+\.\d+\.\d+\S*\n", answer.stdout)


@pytest.fixture
def command(monkeypatch):
    """Install a command that raises what the test says."""

    def install(error):
        stand_in = typer.Typer()

        @stand_in.command()
        def demo():
            raise error

        module = type(sys)("equipoise.cli.demo")
        module.app = stand_in
        monkeypatch.setitem(sys.modules, "equipoise.cli.demo", module)
        monkeypatch.setattr(shell.LazyGroup, "list_commands", lambda self, ctx: ["demo"])

    return install


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (BadInputError("One is wrong.", "Two is wrong."), ["One is wrong.", "Two is wrong."]),
        (DomainError("Trial 7 is locked."), ["Trial 7 is locked."]),
        (
            ValidationFailedError.of_fields({"/alpha": "must be below 1.", "": "The plan is empty."}),
            ["/alpha: must be below 1.", "The plan is empty."],
        ),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), ["x.csv: No such file or directory."]),
    ],
)
def test_refusals_are_sentences_on_stderr_and_exit_code_two(command, capsys, error, lines):
    command(error)
    with pytest.raises(SystemExit) as stop:
        shell.main(["demo"])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines() == lines
    assert printed.out == ""


def test_a_fault_of_the_program_is_not_hidden(command):
    command(ZeroDivisionError("division by zero"))
    with pytest.raises(ZeroDivisionError):
        shell.main(["demo"])


def test_library_errors_become_bad_input_with_their_subject():
    with pytest.raises(BadInputError) as caught, refuse(ValueError, about="a.nrrd"):
        raise ValueError("'mask' must have three axes.")
    assert caught.value.problems == ("a.nrrd: 'mask' must have three axes.",)
    assert problems_of(ValueError("x")) == []
