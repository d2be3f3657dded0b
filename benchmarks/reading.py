"""How long a reader waits: first image cold, next case after an answer, and the bytes of the reading page.

    make build && .venv/bin/python benchmarks/reading.py [--readings 100] [--slices 0]

A site of its own in a temporary folder, one gunicorn, one headless browser on the same machine. The next-case time is
taken from the events that the browser itself recorded: from the submit of one reading to the first painted frame of
the next one with every slice in memory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
SETTINGS = "equipoise.config.settings.production"
"""As `equipoise serve` runs, not as tests do."""
SHAPE = (12, 512, 512)
PER_CASE = 4
COLD_STARTS = 5
THINKING_S = 0.4
"""Between two answers; readers take longer, so the next images have at least this long to arrive."""
AIM_NEXT_MS, AIM_COLD_MS = 150.0, 3000.0


def quantile(values: list[float], share: float) -> float:
    """Return a quantile by the nearest rank."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def make_world(readings: int, slices: int):
    """Build a trial of so many readings, open, with one reader."""
    from tests.factories import trials as factory

    factory.SHAPE = SHAPE
    cases = -(-readings // PER_CASE)
    world = factory.open_world(
        cases=cases,
        practice=1,
        **{
            "items.selection.count": readings,
            "items.selection.max_per_case_and_expert": PER_CASE,
            "items.selection.min_distance_mm": 3,
            "allocation.min_case_distance": 2,
            "allocation.strata": [{"key": "all", "label": "All", "participants": 1}],
            "allocation.reserve_percent": 0,
            "allocation.hidden_repeats": {"count": 0},
            "allocation.blinding_check.pairs": 0,
            "practice.count": 0,
            "sessions.break_after_readings": None,
            "tasks.0.display.scroll": {"mode": "range" if slices else "none", "slices": slices},
        },
    )
    return world, world.enrol()


def cold_starts(browser, url: str, email: str, path: str) -> list[float]:
    """Return, for fresh browsers, the time from navigation to a complete pair that can be answered (ms)."""
    from tests.e2e.world import visiting, wait_for_case

    times = []
    for _ in range(COLD_STARTS):
        with visiting(browser, url) as visit:
            visit.sign_in(email)
            page = visit.page(path)
            wait_for_case(page, 1)
            times.append(float(page.evaluate("() => performance.now()")))
    return times


def next_cases(browser, url: str, email: str, path: str, readings: int) -> None:
    """Read everything, as fast as somebody who knows all answers."""
    from tests.e2e.world import answer_by_keyboard, visiting, wait_for_case

    with visiting(browser, url) as visit:
        visit.sign_in(email)
        page = visit.page(path)
        for n in range(1, readings + 1):
            wait_for_case(page, n)
            time.sleep(THINKING_S)
            answer_by_keyboard(page, "ArrowLeft" if n % 2 else "ArrowRight")
        page.get_by_text("Your last answer is saved.").wait_for()


def waited_ms() -> list[float]:
    """Return the time from each submit to the next reading's first painted frame, from the stored events."""
    from trials.models import ReadingEvent

    kinds = ReadingEvent.objects.filter(kind__in=["submit", "first_paint"])
    rows = kinds.order_by("reading__position", "lease", "sequence")
    events = list(rows.values_list("reading__position", "kind", "clock_id", "t_ms"))
    submitted = {(position, clock): t_ms for position, kind, clock, t_ms in events if kind == "submit"}
    return [
        t_ms - submitted[position - 1, clock]
        for position, kind, clock, t_ms in events
        if kind == "first_paint" and (position - 1, clock) in submitted
    ]


def main() -> int:
    """Measure and print; 1 if an aim is missed."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--readings", type=int, default=100)
    arguments.add_argument("--slices", type=int, default=0, help="neighbouring slices shown above and below")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="equipoise-benchmark-") as folder:
        os.environ |= {
            "EQUIPOISE_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # Playwright's loop waits in this thread
        }
        from equipoise.config.start import database_prepare, django_start

        django_start()
        database_prepare()
        return measure(Path(folder), options.readings, options.slices)


def measure(folder: Path, readings: int, slices: int) -> int:
    """Build the site, read in it, and print what was measured."""
    from playwright.sync_api import sync_playwright

    from tests.e2e.conftest import browser_path
    from tests.e2e.world import LAUNCH_ARGUMENTS, email_of, reading_path
    from tests.faults.real_server import RealServer

    world, participant = make_world(readings, slices)
    server = RealServer(log=folder / "server.log", settings=SETTINGS)
    try:
        server.wait()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path(), args=[*LAUNCH_ARGUMENTS])
            place = (browser, server.url, email_of(participant), reading_path(world))
            cold = cold_starts(*place)
            next_cases(*place, readings)
            browser.close()
    finally:
        server.kill()
    waited = waited_ms()
    frames = 2 * slices + 1
    print(
        f"{SHAPE[1]} x {SHAPE[2]}, {frames} slice(s) an item, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(
        f"next case   median {statistics.median(waited):6.0f} ms   p95 {quantile(waited, 0.95):6.0f} ms   "
        f"max {max(waited):6.0f} ms   n {len(waited)}   (aim: median under {AIM_NEXT_MS:.0f})"
    )
    print(
        f"first image median {statistics.median(cold):6.0f} ms   max {max(cold):6.0f} ms   n {len(cold)}   "
        f"(cold; aim: under {AIM_COLD_MS:.0f})",
        flush=True,
    )
    sizes = subprocess.run(
        ["node", "scripts/bundle-size.mjs"],
        cwd=REPOSITORY / "frontend",
        check=True,
        capture_output=True,
        text=True,
    )
    print("bundle      " + next(line for line in sizes.stdout.splitlines() if line.startswith("reading")))
    return int(statistics.median(waited) >= AIM_NEXT_MS or statistics.median(cold) >= AIM_COLD_MS)


if __name__ == "__main__":
    sys.exit(main())
