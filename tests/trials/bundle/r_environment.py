"""Running a bundle's R script, where R is."""

import re
import shutil
import subprocess


def has_r(*packages):
    """Say whether R is installed with pROC and other packages."""
    if shutil.which("Rscript") is None:
        return False
    wanted = ", ".join(f'"{name}"' for name in ("pROC", *packages))
    asked = f"quit(status = !all(sapply(c({wanted}), requireNamespace, quietly = TRUE)))"
    return (
        subprocess.run(["Rscript", "-e", asked], capture_output=True, timeout=60, check=False).returncode == 0
    )


def reproduced_in_r(folder):
    """Run ``reproduce.R``."""
    return subprocess.run(
        ["Rscript", str(folder / "reproduce.R")], capture_output=True, text=True, timeout=120, check=False
    )


def computed_in_r(done):
    """Return, by analysis, how many values were computed in R."""
    return {name: int(count) for name, count in re.findall(r"^(\S+): (\d+) of", done.stdout, re.MULTILINE)}
