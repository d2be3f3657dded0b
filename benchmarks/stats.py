"""Statistics against scikit-learn and pROC: ratios in one interleaved run, with equal values asserted beside them.

Run ``python benchmarks/stats.py`` (extra ``bench``). The comparison with pROC needs Rscript with pROC and is
skipped without; MRMCaov and iMRMC are in no registry, so the multi-reader rows print our own times.

All times are CPU milliseconds, medians over rounds; peers and we take turns within a round. Data: binormal scores
rounded to three decimals, so there are ties.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from equipoise.stats import auc, compare_aucs, mrmc, mrmc_ustatistics

N_RESAMPLES = 2000
SEED = 20_220_616

R_PEER = """
suppressMessages(library(pROC))
connection <- file("stdin"); open(connection)
while (length(line <- readLines(connection, n = 1)) > 0) {
  task <- strsplit(line, " ")[[1]]
  d <- read.csv(task[2])
  set.seed(1)
  start <- proc.time()
  if (task[1] == "bootstrap") {
    r <- roc(d$truth, d$a, levels = c(0, 1), direction = "<", quiet = TRUE)
    value <- as.numeric(ci.auc(r, method = "bootstrap", boot.n = 2000, progress = "none"))[c(1, 3)]
  } else if (task[1] == "delong") {
    for (i in 1:50) {
      r <- roc(d$truth, d$a, levels = c(0, 1), direction = "<", quiet = TRUE)
      value <- as.numeric(ci.auc(r, method = "delong"))[c(1, 3)]
    }
  } else {
    for (i in 1:50) {
      r1 <- roc(d$truth, d$a, levels = c(0, 1), direction = "<", quiet = TRUE)
      r2 <- roc(d$truth, d$b, levels = c(0, 1), direction = "<", quiet = TRUE)
      t <- roc.test(r1, r2, method = "delong", paired = TRUE)
      value <- c(t$statistic, t$p.value)
    }
  }
  spent <- sum((proc.time() - start)[1:2]) * 1000 / (if (task[1] == "bootstrap") 1 else 50)
  cat(sprintf("%.6f %.12g %.12g\\n", spent, value[1], value[2])); flush(stdout())
}
"""


def main() -> None:
    """Print one line per comparison and leave with 1 if a required ratio is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    rows = []
    with Proc() as proc:
        for n in (134, 1000):
            rows += single_curves(n, proc, rounds=options.rounds)
    rows += readers(rounds=options.rounds)
    rows.append(import_time(rounds=options.rounds))
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print_rows(rows)
    sys.exit(any(row["required"] is not None and row["ratio"] < row["required"] for row in rows))


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    print(f"{'what':58} {'ours ms':>9} {'peer ms':>9} {'ratio':>7} {'must':>5}")
    for row in rows:
        peer = "-" if row["peer_ms"] is None else f"{row['peer_ms']:.2f}"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.1f}x"
        required = "-" if row["required"] is None else f"{row['required']:g}x"
        print(f"{row['what']:58} {row['ours_ms']:9.3f} {peer:>9} {ratio:>7} {required:>5}")


class Proc:
    """One Rscript process with pROC loaded, which answers a line per task; absent where Rscript is."""

    def __enter__(self) -> "Proc":
        self.process: subprocess.Popen[str] | None = None
        found = shutil.which("Rscript")
        has_proc = (
            found
            and not subprocess.run(
                [found, "-e", "library(pROC)"], capture_output=True, check=False
            ).returncode
        )
        if found and has_proc:
            self.process = subprocess.Popen(
                [found, "-e", R_PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        else:
            print("pROC is not installed here: its rows are skipped.", file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()

    def run(self, task: str, path: str) -> tuple[float, float, float]:
        """Return milliseconds and the two values of a task."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{task} {path}\n")
        self.process.stdin.flush()
        spent, first, second = (float(part) for part in self.process.stdout.readline().split())
        return spent, first, second


def single_curves(n: int, proc: Proc, *, rounds: int) -> list[dict[str, Any]]:
    """Compare one curve's bootstrap and DeLong intervals, and the paired DeLong test."""
    rng = np.random.default_rng(n)
    truth = (np.arange(n) % 5 < 2).astype(int)
    shared = rng.normal(size=n)
    scores = [np.round(0.6 * shared + 0.8 * rng.normal(size=n) + shift * truth, 3) for shift in (1.0, 0.8)]
    path = write_csv(n, truth, scores)
    ours: dict[str, list[float]] = {name: [] for name in ("plain", "stratified", "delong", "paired")}
    sklearn: list[float] = []
    r: dict[str, list[float]] = {name: [] for name in ("bootstrap", "delong", "paired")}
    for _ in range(rounds):
        spent, expected = timed(lambda: sklearn_bootstrap(scores[0], truth))
        sklearn.append(spent)
        spent, plain = timed(lambda: auc(scores[0], truth, method="bootstrap", rng=SEED))
        ours["plain"].append(spent)
        found = (plain.confidence_interval.low, plain.confidence_interval.high)
        np.testing.assert_allclose(found, expected, rtol=1e-12)  # the same resamples, so every digit
        spent, stratified = timed(lambda: auc(scores[0], truth, method="bootstrap-stratified", rng=SEED))
        ours["stratified"].append(spent)
        spent, delong = timed(lambda: auc(scores[0], truth), repeat=50)
        ours["delong"].append(spent)
        spent, paired = timed(lambda: compare_aucs(*scores, truth), repeat=50)
        ours["paired"].append(spent)
        if proc.process is None:
            continue
        interval = stratified.confidence_interval
        check(r["bootstrap"], proc.run("bootstrap", path), (interval.low, interval.high), atol=0.012)
        interval = delong.confidence_interval
        check(r["delong"], proc.run("delong", path), (interval.low, interval.high), atol=1e-9)
        check(r["paired"], proc.run("paired", path), (paired.statistic, paired.pvalue), atol=1e-8)
    resamples = f"{N_RESAMPLES} resamples, n={n}"
    rows = [row(f"AUC bootstrap interval, {resamples}, scikit-learn loop", ours["plain"], sklearn, 50)]
    if proc.process is not None:
        rows += [
            row(f"AUC bootstrap interval, {resamples}, pROC", ours["stratified"], r["bootstrap"], 20),
            row(f"AUC DeLong interval, n={n}, pROC", ours["delong"], r["delong"], 3),
            row(f"paired DeLong test, n={n}, pROC", ours["paired"], r["paired"], None),
        ]
    return rows


def check(
    times: list[float], answer: tuple[float, float, float], expected: tuple[float, float], *, atol: float
) -> None:
    """Keep the peer's time, and hold its values against ours."""
    spent, *values = answer
    np.testing.assert_allclose(values, expected, atol=atol)
    times.append(spent)


def sklearn_bootstrap(scores: Any, truth: Any) -> tuple[float, float]:
    """Return the percentile interval of the usual loop."""
    rng = np.random.default_rng(SEED)
    areas = []
    for _ in range(N_RESAMPLES):
        rows = rng.integers(0, truth.size, truth.size)
        if 0 < truth[rows].sum() < truth.size:
            areas.append(roc_auc_score(truth[rows], scores[rows]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def readers(*, rounds: int) -> list[dict[str, Any]]:
    """Time 20 readers x 200 cases x 2 conditions, from table to intervals."""
    rng = np.random.default_rng(1)
    reader, case, condition = (grid.ravel() for grid in np.meshgrid(range(20), range(200), range(2)))
    truth = case % 2
    ease, skill = rng.normal(size=200), rng.normal(size=20)
    score = np.round(0.6 * ease[case] + (1.0 + 0.2 * skill[reader]) * truth + rng.normal(size=truth.size), 3)
    table = {"reader": reader, "case": case, "condition": condition, "truth": truth, "score": score}
    calls: dict[str, Callable[[], Any]] = {
        "MRMC 20 x 200 x 2, DeLong": lambda: mrmc(table, covariance="delong"),
        "MRMC 20 x 200 x 2, jackknife": lambda: mrmc(table, covariance="jackknife"),
        "MRMC 20 x 200 x 2, unbiased": lambda: mrmc(table, covariance="unbiased"),
        "MRMC 20 x 200 x 2, U-statistics": lambda: mrmc_ustatistics(table),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    found = {}
    for _ in range(rounds):
        for name, call in calls.items():
            spent, found[name] = timed(call, repeat=3)
            times[name].append(spent)
    same = [result.differences[0].estimate for result in found.values()]
    np.testing.assert_allclose(same, same[0], rtol=1e-9)
    return [row(name, spent, None, None) for name, spent in times.items()]


def import_time(*, rounds: int) -> dict[str, Any]:
    """Time importing the package and its first AUC in a fresh process, beside importing scipy.stats."""
    ours, peer = [], []
    for _ in range(rounds):
        ours.append(child_cpu("from equipoise.stats import auc; auc([1, 2, 3, 2], [0, 0, 1, 1])"))
        peer.append(child_cpu("import scipy.stats"))
    return row("import and first AUC, fresh process; peer: import scipy.stats", ours, peer, 1)


def child_cpu(code: str) -> float:
    """Return the CPU milliseconds of a Python child."""
    measured = f"import time\n{code}\nprint(time.process_time())"
    out = subprocess.run([sys.executable, "-c", measured], capture_output=True, text=True, check=True)
    return float(out.stdout) * 1000.0


def write_csv(n: int, truth: Any, scores: list[Any]) -> str:
    """Write the data for R to a temporary file."""
    with tempfile.NamedTemporaryFile("w", suffix=f"_{n}.csv", delete=False) as file:
        file.write("truth,a,b\n")
        file.writelines(f"{t},{a},{b}\n" for t, a, b in zip(truth, *scores, strict=True))
    return file.name


def timed(call: Callable[[], Any], *, repeat: int = 1) -> tuple[float, Any]:
    """Return CPU milliseconds per call and the result."""
    start = time.process_time()
    for _ in range(repeat):
        result = call()
    return (time.process_time() - start) * 1000.0 / repeat, result


def row(what: str, ours: list[float], peer: list[float] | None, required: float | None) -> dict[str, Any]:
    """Return a line: medians, and the median of the ratios round by round."""
    ratio = None
    if peer is not None:
        ratio = float(np.median([theirs / mine for mine, theirs in zip(ours, peer, strict=True)]))
    return {
        "what": what,
        "ours_ms": float(np.median(ours)),
        "peer_ms": None if peer is None else float(np.median(peer)),
        "ratio": ratio,
        "required": required if ratio is not None else None,
    }


if __name__ == "__main__":
    main()
