"""Rules of the tree that hold for every file."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [REPOSITORY / "platform", REPOSITORY / "trials"]
FRAMEWORKS = ("django", "celery", "rest_framework", "torch", "kombu")


def modules():
    return [path for source in SOURCES for path in source.rglob("*.py") if "migrations" not in path.parts]


def loaded_by(statement: str) -> set[str]:
    """Return the frameworks that a statement loads in a fresh interpreter."""
    code = f"import sys; {statement}; print(*[m for m in {FRAMEWORKS!r} if m in sys.modules])"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_platform_is_a_source_root_and_no_package():
    assert not (REPOSITORY / "platform" / "__init__.py").exists()


@pytest.mark.parametrize("package", ["stats", "metrics", "simulation", "imaging", "analysis", "common"])
def test_pure_package_loads_no_framework(package):
    assert loaded_by(f"import equipoise.{package}") == set()


def test_settings_package_loads_no_framework():
    assert loaded_by("import equipoise.config, equipoise.config.env") == set()


def test_command_line_help_loads_no_framework():
    assert loaded_by("import equipoise.cli.main") == set()


def test_no_module_is_named_after_nothing():
    banned = {"utils.py", "helpers.py", "misc.py", "common_functions.py"}
    assert [str(p.relative_to(REPOSITORY)) for p in modules() if p.name in banned] == []


def test_every_module_says_what_belongs_there():
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in modules()
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_environment_is_read_in_one_place():
    """Variables of the site are read by equipoise.config.env; elsewhere only what belongs to other programs."""
    readers = {
        str(path.relative_to(REPOSITORY))
        for path in modules()
        if "EQUIPOISE_" in (text := path.read_text(encoding="utf-8"))
        and ("os.environ" in text or "getenv" in text)
    }
    assert readers <= {"platform/equipoise/config/env.py", "platform/equipoise/config/settings/test.py"}


def test_no_signal_receivers_outside_the_foundation():
    """Writes are services: no post_save and its kin (post_migrate installs the guards)."""
    banned = ("post_save", "pre_save", "post_delete", "pre_delete", "m2m_changed")
    found = [
        str(p.relative_to(REPOSITORY))
        for p in modules()
        if any(b in p.read_text(encoding="utf-8") for b in banned)
    ]
    assert found == []


def test_celery_tasks_are_the_foundations_one():
    found = [
        str(path.relative_to(REPOSITORY))
        for path in modules()
        if "shared_task" in path.read_text(encoding="utf-8")
    ]
    assert found == ["platform/equipoise/jobs/tasks.py"]
