"""What the pure libraries must not load."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["equipoise.metrics", "equipoise.stats"])
def test_pure_libraries_load_no_framework(module):
    program = (
        f"import sys, {module}\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(','.join(sorted(loaded & {'django', 'celery', 'torch', 'rest_framework', 'SimpleITK'})))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
