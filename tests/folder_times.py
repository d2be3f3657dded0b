"""A pytest plugin (``-p tests.folder_times``): how long each folder of tests took, and who exceeds the budget."""

from collections import defaultdict
from pathlib import PurePosixPath

FOLDER_DEPTH = {"tests/unit": 3}
"""Folders that are shown one level deeper."""


def folder_of(node_id: str) -> str:
    """Return the folder that a test's time is counted under."""
    parts = PurePosixPath(node_id.split("::")[0]).parts
    depth = FOLDER_DEPTH.get("/".join(parts[:2]), 2)
    return "/".join(parts[: min(depth, len(parts) - 1)]) or "."


def pytest_terminal_summary(terminalreporter) -> None:
    """Print seconds and counts per folder, longest first."""
    seconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration") and hasattr(report, "nodeid"):
                folder = folder_of(report.nodeid)
                seconds[folder] += report.duration
                counts[folder] += report.when == "call"
    if not seconds:
        return
    terminalreporter.section("time per folder")
    for folder, total in sorted(seconds.items(), key=lambda pair: -pair[1]):
        terminalreporter.write_line(f"{total:8.1f} s  {counts[folder]:5d} tests  {folder}")
