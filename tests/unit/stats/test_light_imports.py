"""Using the ROC half of the statistics must not load what a command line waits for."""

import subprocess
import sys

import pytest

HEAVY = ("scipy.stats", "statsmodels", "pandas", "matplotlib", "django", "torch", "celery")


def loaded_after(code):
    listing = f"{code}\nimport sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import equipoise.stats",
        "from equipoise.stats import auc; auc([1, 2, 3, 2], [0, 0, 1, 1])",
        "from equipoise.stats import confusion; confusion([1, 0, 1, 0], [1, 0, 0, 1])",
        "from equipoise.stats import mrmc, mrmc_dbm, mrmc_ustatistics, compare_readers_with_algorithm, non_inferiority",
    ],
)
def test_nothing_heavy_is_loaded(code):
    assert loaded_after(code) == []


def test_importing_the_package_loads_no_number_library():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, equipoise.stats; print('numpy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_every_public_name_resolves_once():
    import equipoise.stats as stats

    assert len(set(stats.__all__)) == len(stats.__all__)
    for name in stats.__all__:
        assert getattr(stats, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = stats.no_such_name
