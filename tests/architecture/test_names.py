"""No installed package brings a module under the name of a folder of ours: Python would take it for ours."""

from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


NO_MODULES = {"docker"}
"""Folders that hold nothing Python could import: an installed package of that name is found before them."""


def test_folders_of_no_modules_hold_none():
    assert [str(path) for name in NO_MODULES for path in (REPOSITORY / name).rglob("*.py")] == []


def test_no_package_takes_the_name_of_a_folder_of_the_repository():
    ours = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name.isidentifier()}
    taken = {
        name: owners
        for name, owners in packages_distributions().items()
        if name in ours - {"platform"} - NO_MODULES and owners != ["equipoise"]
    }
    assert not taken, f"These packages shadow our folders; do without them: {taken}"
