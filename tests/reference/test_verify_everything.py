"""`equipoise verify` over every reference case, as an acceptance check runs it."""

import pytest
from typer.testing import CliRunner

from equipoise.cli.main import app

pytestmark = [pytest.mark.shared, pytest.mark.timeout(240)]


def test_every_reference_case_passes_from_the_command_line(fixtures_folder):
    outcome = CliRunner().invoke(app, ["verify", str(fixtures_folder)])
    lines = outcome.output.strip().splitlines()
    assert outcome.exit_code == 0, outcome.output
    assert lines[-1] == "232 passed, 0 failed"
