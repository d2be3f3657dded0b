"""What the audit of dependencies says of the answers that indexes give, and of none."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

CLEAN = {"dependencies": [{"name": "django", "version": "5.2.19", "vulns": []}]}
KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["5.2.20"]}
FOUND = {"dependencies": [{"name": "django", "version": "5.2.19", "vulns": [KNOWN]}]}
UNKNOWN = {"dependencies": [{"name": "django", "skip_reason": "Dependency not found on PyPI"}]}
NO_FINDINGS: dict[str, dict[str, str]] = {"metadata": {}, "vulnerabilities": {}}


def browser(severity):
    return {"metadata": {}, "vulnerabilities": {"vite": {"severity": severity, "range": "<7"}}}


@pytest.mark.parametrize(
    ("python", "npm", "code", "words"),
    [
        (CLEAN, NO_FINDINGS, 0, ["1 audited.", "0 with findings"]),
        (FOUND, NO_FINDINGS, 1, ["django 5.2.19: PYSEC-2026-1, mended in 5.2.20"]),
        (
            UNKNOWN,
            None,
            0,
            ["index of vulnerabilities is not reachable", "registry's audit is not reachable"],
        ),
        (
            None,
            {"message": "405 Method Not Allowed"},
            0,
            ["vulnerabilities is not reachable", "audit is not reachable"],
        ),
        (CLEAN, browser("high"), 1, ["vite: high, <7"]),
        (CLEAN, browser("moderate"), 0, ["1 with findings"]),
    ],
)
def test_findings_fail_and_silence_is_said(tmp_path, python, npm, code, words):
    for name, told in (("pip-audit", python), ("npm", npm)):
        if told is not None:
            (tmp_path / f"{name}.json").write_text(json.dumps(told))
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/{name}.json || echo away\n")
        program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, REPOSITORY / ".ci/audit-dependencies", tmp_path / "pip-audit"],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert [word for word in words if word not in done.stdout] == []
