"""Does what is printed hold? Coverage, bias and type I error of the main methods, by simulation from known truth.

``python -m equipoise.analysis.validation`` writes ``docs/validation.md``. Every replicate has its own random stream
(seed, setting, replicate), so the numbers do not depend on how many are run together or in which order.
"""

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.simulation.preference_reader import PreferencePopulation
from equipoise.simulation.roe_metz import HIGH_CORRELATION, LOW_CORRELATION, RoeMetzModel
from equipoise.simulation.streams import stream
from equipoise.stats import auc, compare_aucs, mrmc, mrmc_ustatistics, preference_model

SEED: Final = 20240229
LEVEL: Final = 0.95
MONTE_CARLO_ERRORS: Final = 3.0
"""How many Monte-Carlo standard errors count as more than chance."""

Expected = Literal["nominal", "conservative", "liberal"]
"""How a method is known to behave in a setting: at its level, on the safe side, or on the unsafe side."""


@dataclass(frozen=True)
class Draw:
    """What one method says of one simulated study: estimate, its interval, and the p-value of its test."""

    estimate: float
    low: float
    high: float
    pvalue: float = math.nan
    truth: float | None = None
    """What was set for this method, where it is not the setting's."""


@dataclass(frozen=True)
class Setting:
    """One population and the methods that are held against it."""

    study: str
    name: str
    key: int
    n_replicates: int
    truth: float
    is_null: bool
    """Whether ``truth`` is the null hypothesis, so that rejections are errors."""
    draw: Callable[[np.random.Generator], dict[str, Draw]]
    expected: tuple[tuple[str, Expected], ...] = ()
    """Per method, how it is known to behave; nominal where nothing is said."""


@dataclass(frozen=True)
class Outcome:
    """How a method did over the replicates of a setting."""

    study: str
    setting: str
    method: str
    n: int
    n_undefined: int
    truth: float
    bias: float
    bias_error: float
    coverage: float
    coverage_error: float
    rejection: float
    rejection_error: float
    is_null: bool
    expected: Expected

    @property
    def is_biased(self) -> bool:
        """Return whether the bias is more than chance."""
        return abs(self.bias) > MONTE_CARLO_ERRORS * self.bias_error

    @property
    def behaviour(self) -> Expected:
        """Return how the interval (and, under the null, the test) behaved, beyond chance."""
        margin = MONTE_CARLO_ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / self.n)
        if self.coverage < LEVEL - margin or (self.is_null and self.rejection > 1 - LEVEL + margin):
            return "liberal"
        return "conservative" if self.coverage > LEVEL + margin else "nominal"

    @property
    def is_as_expected(self) -> bool:
        """Return whether bias and behaviour are what is known of the method; nominal is always welcome."""
        return not self.is_biased and self.behaviour in {"nominal", self.expected}


def simulate(setting: Setting, *, seed: int = SEED, n_replicates: int | None = None) -> list[Outcome]:
    """Run one setting and return one outcome per method."""
    found: dict[str, list[Draw]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # counted as undefined
        for replicate in range(n_replicates or setting.n_replicates):
            for method, draw in setting.draw(stream(seed, setting.key, replicate)).items():
                found.setdefault(method, []).append(draw)
    return [_outcome(setting, method, draws) for method, draws in found.items()]


def _outcome(setting: Setting, method: str, draws: Sequence[Draw]) -> Outcome:
    table = np.array([(d.estimate, d.low, d.high, d.pvalue) for d in draws], dtype=float)
    defined = np.isfinite(table[:, :3]).all(axis=1)
    kept = table[defined]
    n = len(kept)
    if n < 2:
        raise RuntimeError(f"{setting.name}, {method}: {n} replicates are defined.")
    truth = setting.truth if draws[0].truth is None else draws[0].truth
    covered = (kept[:, 1] <= truth) & (truth <= kept[:, 2])
    coverage = float(covered.mean())
    pvalues = kept[np.isfinite(kept[:, 3]), 3]
    rejection = float((pvalues < 1 - LEVEL).mean()) if len(pvalues) else math.nan
    return Outcome(
        study=setting.study,
        setting=setting.name,
        method=method,
        n=n,
        n_undefined=len(table) - n,
        truth=truth,
        bias=float(kept[:, 0].mean()) - truth,
        bias_error=float(kept[:, 0].std(ddof=1)) / math.sqrt(n),
        coverage=coverage,
        coverage_error=_share_error(coverage, n),
        rejection=rejection,
        rejection_error=_share_error(rejection, len(pvalues)) if len(pvalues) else math.nan,
        is_null=setting.is_null and draws[0].truth is None,
        expected=dict(setting.expected).get(method, "nominal"),
    )


def _share_error(share: float, n: int) -> float:
    return math.sqrt(share * (1 - share) / n)


# ---------------------------------------------------------------- settings


def is_skewed(n: int, area: float) -> bool:
    """Return whether so few cases of a class are in error that the area's estimate is skewed.

    As for a proportion, a normal approximation wants about ten failures: ``n (1 - area) >= 10``.
    """
    return n * (1 - area) < 10


def single_curve_settings() -> list[Setting]:
    """One binormal curve: DeLong and the stratified percentile bootstrap."""
    settings = []
    for key, (n, area) in enumerate([(n, a) for n in (25, 67, 200) for a in (0.702, 0.855, 0.962)]):
        known: Expected = "liberal" if is_skewed(n, area) else "nominal"
        for method, first_key, n_replicates in ((DELONG, 100, 10_000), (STRATIFIED, 120, 2000)):
            settings.append(
                Setting(
                    "One curve", f"AUC {area:g}, {n} + {n} cases", first_key + key, n_replicates, area, False,
                    _single_curve(n, area, method), ((method, known),),
                )
            )  # fmt: skip
    return settings


DELONG: Final = "DeLong"
STRATIFIED: Final = "stratified bootstrap"


def _single_curve(n: int, area: float, method: str) -> Callable[[np.random.Generator], dict[str, Draw]]:
    model = RoeMetzModel.with_aucs((area,), var_reader=0.0, var_reader_condition=0.0)

    def draw(rng: np.random.Generator) -> dict[str, Draw]:
        study = model.draw(rng, n_readers=1, n_positive=n, n_negative=n)
        scores = study.scores[0, 0]
        if method == DELONG:
            return {method: _of(auc(scores, study.truth, confidence_level=LEVEL))}
        return {
            method: _of(auc(scores, study.truth, method="bootstrap-stratified", n_resamples=400, rng=rng))
        }

    return draw


def _of(result: Any) -> Draw:
    interval = result.confidence_interval
    return Draw(result.estimate, interval.low, interval.high, getattr(result, "pvalue", math.nan))


def paired_settings() -> list[Setting]:
    """Two curves on the same cases, one reader: DeLong's paired test."""
    settings = []
    cases = [(25, 0.855, 0.855), (67, 0.855, 0.855), (67, 0.8, 0.88), (67, 0.962, 0.962)]
    for key, (n, first, second) in enumerate(cases, 200):
        expected: tuple[tuple[str, Expected], ...] = (
            (("DeLong, paired", "conservative"),) if first > 0.95 else ()
        )
        settings.append(
            Setting(
                "Two curves, same cases", f"AUC {first:g} and {second:g}, {n} + {n} cases", key, 4000, first - second,
                first == second, _paired(n, first, second), expected,
            )
        )  # fmt: skip
    return settings


def _paired(n: int, first: float, second: float) -> Callable[[np.random.Generator], dict[str, Draw]]:
    model = RoeMetzModel.with_aucs(
        (first, second), var_reader=0.0, var_reader_condition=0.0, **HIGH_CORRELATION
    )

    def draw(rng: np.random.Generator) -> dict[str, Draw]:
        study = model.draw(rng, n_readers=1, n_positive=n, n_negative=n)
        return {"DeLong, paired": _of(compare_aucs(study.scores[0, 0], study.scores[1, 0], study.truth))}

    return draw


FEW_READERS: Final = 5
AREA_NEAR_1: Final = 0.95
READER_VARIANCE: Final = {"low": 0.0055, "high": 0.03}
"""Variances of reader and reader x condition effects in the multi-reader settings."""

MULTI_READER: Final = (
    # readers, cases per class, AUCs, case structure, reader variance
    (3, 25, (0.855, 0.855), "high", "low"),
    (3, 50, (0.855, 0.855), "low", "high"),
    (5, 25, (0.702, 0.702), "low", "low"),
    (5, 50, (0.855, 0.855), "high", "high"),
    (5, 50, (0.855, 0.855), "low", "low"),
    (5, 50, (0.962, 0.962), "low", "low"),
    (10, 50, (0.855, 0.855), "high", "high"),
    (10, 100, (0.702, 0.702), "low", "high"),
    (5, 50, (0.8, 0.86), "high", "high"),
    (10, 50, (0.8, 0.86), "low", "high"),
)


def multi_reader_settings() -> list[Setting]:
    """Two conditions, random readers and cases: Obuchowski-Rockette and U-statistics."""
    settings = []
    for key, (r, n, areas, structure, variance) in enumerate(MULTI_READER, 300):
        known: Expected = "conservative" if r <= FEW_READERS or areas[0] > AREA_NEAR_1 else "nominal"
        of_mean: Expected = "liberal" if is_skewed(n, areas[0]) else "nominal"
        settings.append(
            Setting(
                "Two conditions, random readers and cases",
                f"AUC {areas[0]:g} and {areas[1]:g}, {r} readers, {n} + {n} cases, {structure} case correlation, "
                f"{variance} "
                "reader variance",
                key,
                2000,
                areas[0] - areas[1],
                areas[0] == areas[1],
                _multi_reader(r, n, areas, structure, variance),
                ((OR, known), (U_STATISTICS, known), (ONE_CONDITION, of_mean)),
            )
        )
    return settings


OR: Final = "Obuchowski-Rockette, jackknife"
U_STATISTICS: Final = "U-statistics"
ONE_CONDITION: Final = "Obuchowski-Rockette, one condition"


def _multi_reader(
    r: int, n: int, areas: tuple[float, float], structure: str, variance: str
) -> Callable[[np.random.Generator], dict[str, Draw]]:
    model = _model(areas, structure, variance)

    def draw(rng: np.random.Generator) -> dict[str, Draw]:
        table = model.draw(rng, n_readers=r, n_positive=n, n_negative=n).table(("A", "B"))
        result = mrmc(table, confidence_level=LEVEL)
        mean, interval = result.condition_means[0], result.condition_means[0].confidence_interval
        return {
            OR: _of(result.difference("A", "B")),
            ONE_CONDITION: Draw(mean.estimate, interval.low, interval.high, truth=areas[0]),
            U_STATISTICS: _of(mrmc_ustatistics(table, confidence_level=LEVEL).differences[0]),
        }

    return draw


def _model(areas: tuple[float, float], structure: str, variance: str) -> RoeMetzModel:
    correlation = {"high": HIGH_CORRELATION, "low": LOW_CORRELATION}[structure]
    of_reader = READER_VARIANCE[variance]
    return RoeMetzModel.with_aucs(areas, var_reader=of_reader, var_reader_condition=of_reader, **correlation)


SHARED_OUT: Final = (
    # kind, readers, cases per class, blocks or readers of a case, overlap per class, case structure, reader variance
    ("subsets", 12, 45, 4, 10, "high", "low"),
    ("subsets", 12, 45, 4, 10, "low", "high"),
    ("blocks", 12, 48, 4, 0, "high", "low"),
    ("blocks", 12, 48, 4, 0, "low", "high"),
)


def shared_out_settings() -> list[Setting]:
    """Two conditions of equal area; every reader reads a part of the cases in both of them."""
    area = 0.855
    settings = []
    for key, (kind, r, n, parts, overlap, structure, variance) in enumerate(SHARED_OUT, 500):
        name = (
            f"{parts} readers a case, {2 * overlap} cases read by all"
            if kind == "subsets"
            else f"{parts} blocks of cases and of readers"
        )
        settings.append(
            Setting(
                "Readers who read a part of the cases",
                f"{name}, AUC {area:g}, {r} readers, {n} + {n} cases, {structure} case correlation, {variance} reader "
                "variance",
                key,
                4000,
                0.0,
                True,
                _shared_out(kind, r, n, parts, overlap, area, structure, variance),
            )
        )
    return settings


def _shared_out(
    kind: str, r: int, n: int, parts: int, overlap: int, area: float, structure: str, variance: str
) -> Callable[[np.random.Generator], dict[str, Draw]]:
    model = _model((area, area), structure, variance)

    def draw(rng: np.random.Generator) -> dict[str, Draw]:
        columns = model.draw(rng, n_readers=r, n_positive=n, n_negative=n).table(("A", "B"))
        of_class = [
            _subsets_rc(rng, r, n, parts, overlap) if kind == "subsets" else _blocks_rc(rng, r, n, parts)
            for _ in range(2)
        ]  # diseased cases first
        read = np.broadcast_to(np.concatenate(of_class, axis=1), (2, r, 2 * n)).ravel()
        table = {name: np.asarray(values)[read].tolist() for name, values in columns.items()}
        return {
            OR: _of(mrmc(table, confidence_level=LEVEL).difference("A", "B")),
            U_STATISTICS: _of(mrmc_ustatistics(table, confidence_level=LEVEL).differences[0]),
        }

    return draw


def _subsets_rc(
    rng: np.random.Generator, r: int, n: int, readers_per_case: int, overlap: int
) -> NDArray[np.bool_]:
    """Return which reader reads which case: the first cases everybody, each other one a reader of every round."""
    read = np.zeros((r, n), dtype=np.bool_)
    read[:, :overlap] = True
    hands = r // readers_per_case
    for first in range(0, r, hands):
        for place, case in enumerate(overlap + rng.permutation(n - overlap)):
            read[first + place % hands, case] = True
    return read


def _blocks_rc(rng: np.random.Generator, r: int, n: int, blocks: int) -> NDArray[np.bool_]:
    """Return which reader reads which case: blocks of cases and of readers, each of one size."""
    read: NDArray[np.bool_] = rng.permutation(np.arange(r) % blocks)[:, None] == np.arange(n) % blocks
    return read


def preference_settings() -> list[Setting]:
    """Preference with crossed readers and cases: the marginal mixed model and the bootstrap beside it."""
    rows = ((10, 40, 0.0), (10, 40, 0.3), (40, 100, 0.2))
    settings = []
    for key, (r, c, logit) in enumerate(rows, 400):
        population = PreferencePopulation(mean_logit=logit, item_sd=0.0, side_sd=0.0)
        truth = population.marginal_probability
        settings.append(
            Setting(
                "Preference", f"probability {truth:.3f}, {r} readers, {c} cases", key, 400, truth, logit == 0.0,
                _preference(population, r, c), ((BOOTSTRAP, "conservative"),),
            )
        )  # fmt: skip
    return settings


MIXED_MODEL: Final = "marginal mixed model"
BOOTSTRAP: Final = "bootstrap of readers and cases"


def _preference(
    population: PreferencePopulation, r: int, c: int
) -> Callable[[np.random.Generator], dict[str, Draw]]:
    def draw(rng: np.random.Generator) -> dict[str, Draw]:
        readers = np.array([reader.leaning_logit for reader in population.readers(rng, r)])
        cases = population.item_effects(rng, np.arange(c))
        is_left = rng.permuted(np.tile(np.arange(c) % 2 == 0, (r, 1)), axis=1)
        pull = np.where(is_left, population.side_logit, -population.side_logit)
        prefers = rng.random((r, c)) < 1 / (1 + np.exp(-(readers[:, None] + cases[None, :] + pull)))
        sources = np.array(["expert", "algorithm"])
        table = {
            "participant": np.repeat(np.arange(r), c).tolist(),
            "case": np.tile(np.arange(c), r).tolist(),
            "preferred": sources[prefers.ravel().astype(int)].tolist(),
            "left_source": sources[is_left.ravel().astype(int)].tolist(),
            "right_source": sources[1 - is_left.ravel().astype(int)].tolist(),
        }
        result = preference_model(table, confidence_level=LEVEL, n_resamples=400, rng=rng)
        around = result.bootstrap_interval
        return {
            MIXED_MODEL: _of(result),
            BOOTSTRAP: Draw(result.bootstrap_estimate, around.low, around.high),
        }

    return draw


def all_settings() -> list[Setting]:
    """Return every setting of the full run."""
    return [
        *single_curve_settings(),
        *paired_settings(),
        *multi_reader_settings(),
        *shared_out_settings(),
        *preference_settings(),
    ]


# ---------------------------------------------------------------- the report

INTRODUCTION: Final = """\
# Validation by simulation

Whether intervals cover what they should and tests err as rarely as they say, checked against simulated truth. That
the numbers agree with other software on real data is a matter of the reference tests (`equipoise verify`), not of
this page.

This page is written by `python -m equipoise.analysis.validation`; it is not edited by hand.

**Reading the tables.** *Bias* is the mean estimate minus what was set, with its Monte-Carlo standard error (MCSE).
*Coverage* is the share of 95 % intervals that contain what was set. *Rejected* is the share of tests with p < 0.05:
where what was set is the null hypothesis, it is the type I error; elsewhere it is the power. A difference counts
when it exceeds 3 MCSE; about 1 in 370 entries would do so by chance alone.

**Verdict.** *Nominal*: within 3 MCSE of 95 % (and, under the null, of 5 %). *Conservative*: intervals too wide, the
safe side. *Liberal*: intervals too narrow or too many rejections. A method is held against its own known behaviour,
not against a flat 95 %:

- the mean area of one condition and a single area have a skewed estimate where few cases are in error, and their
  symmetric intervals are liberal there; the limit taken is n (1 - AUC) < 10 per class, as for a proportion;
- Obuchowski-Rockette and U-statistics comparisons are known to be conservative with few readers (here up to 5) and
  with areas above 0.95;
- DeLong's paired test is conservative with areas above 0.95;
- the bootstrap over readers and cases errs on the wide side.

*Expected* says yes where the behaviour is nominal or the known one and no bias exceeds 3 MCSE. A **no** stays on
the page: it is what a user of that method in that setting should know.
"""

HEADER: Final = (
    "| setting | method | n | set | bias (MCSE) | coverage (MCSE) | rejected (MCSE) | verdict | expected |\n"
    "|---|---|--:|--:|--:|--:|--:|---|---|\n"
)


def table_row(outcome: Outcome) -> str:
    """Return the line of the report's table for one outcome."""
    rejected = "" if math.isnan(outcome.rejection) else (
        f"{100 * outcome.rejection:.1f} % ({100 * outcome.rejection_error:.1f})"
    )  # fmt: skip
    undefined = f" (+{outcome.n_undefined} undefined)" if outcome.n_undefined else ""
    truth = "0" if outcome.truth == 0 else f"{outcome.truth:.3f}"
    null = " (null)" if outcome.is_null else ""
    return (
        f"| {outcome.setting} | {outcome.method} | {outcome.n}{undefined} | {truth}{null} | "
        f"{outcome.bias:+.5f} ({outcome.bias_error:.5f}) | {100 * outcome.coverage:.1f} % "
        f"({100 * outcome.coverage_error:.1f}) | {rejected} | {outcome.behaviour} | "
        f"{'yes' if outcome.is_as_expected else '**no**'} |"
    )


def report(outcomes: Sequence[Outcome], *, seed: int) -> str:
    """Return the page."""
    import scipy

    parts = [INTRODUCTION]
    unexpected = [outcome for outcome in outcomes if not outcome.is_as_expected]
    words = (
        "every one behaves as expected"
        if not unexpected
        else f"{len(unexpected)} behave otherwise than expected: "
        + "; ".join(
            f"{o.method} ({o.setting}): {o.behaviour}{', biased' if o.is_biased else ''}" for o in unexpected
        )
    )
    parts.append(
        f"\nSeed {seed}; numpy {np.__version__}, scipy {scipy.__version__}. Of {len(outcomes)} combinations of "
        "setting and method "
        f"{words}.\n"
    )
    for study in dict.fromkeys(outcome.study for outcome in outcomes):
        rows = [table_row(outcome) for outcome in outcomes if outcome.study == study]
        parts.append(f"\n## {study}\n\n{STUDY_WORDS[study]}\n\n{HEADER}" + "\n".join(rows) + "\n")
    return "".join(parts)


STUDY_WORDS: Final = {
    "One curve": (
        "Equal-variance binormal scores, diseased and non-diseased cases in equal number. Normal interval with "
        "DeLong's "
        "variance, and percentiles of 400 stratified resamples."
    ),
    "Two curves, same cases": (
        "One fixed reader, two conditions, Roe and Metz's model with high case correlation; DeLong's paired test "
        "of the "
        "difference, first minus second."
    ),
    "Two conditions, random readers and cases": (
        "Roe and Metz's model; case variances (case, case x condition, reader x case, error) 0.3, 0.3, 0.2, 0.2 "
        "with high and "
        "0.1, 0.1, 0.2, 0.6 with low correlation; variances of reader and reader x condition 0.0055 (low) or "
        "0.03 (high) "
        "per truth state. Difference of the conditions, first minus second; *one condition* is the mean of the first, "
        "held against its own area. With three readers the comparison's denominator rests on two degrees of "
        "freedom only."
    ),
    "Readers who read a part of the cases": (
        "Roe and Metz's model as above, two conditions of equal area, both read by every reader of a case: the type I "
        "error of the incomplete design with an overlap (every case outside the overlap is read by a set number of "
        "readers, who shares a case with whom is drawn anew) and of the split-plot (blocks of cases x blocks of "
        "readers). The Obuchowski-Rockette covariances are averages over all pairs of readers, also of those without "
        "a case in common."
    ),
    "Preference": (
        "Logistic model with crossed random effects of reader (SD 0.4) and case (SD 0.5) and a side effect of "
        "0.1 logits; "
        "the set value is the marginal probability over readers, cases and sides."
    ),
}


def run(settings: Iterable[Setting], *, seed: int = SEED, share: float = 1.0) -> list[Outcome]:
    """Run settings, each with its share of replicates, saying on stderr what is done."""
    outcomes: list[Outcome] = []
    for setting in settings:
        started = time.process_time()
        n = max(20, round(setting.n_replicates * share))
        outcomes += simulate(setting, seed=seed, n_replicates=n)
        spent = time.process_time() - started
        sys.stderr.write(
            f"seed {seed}/{setting.key}: {setting.study}, {setting.name}: {n} replicates, {spent:.1f} s\n"
        )
    return outcomes


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; return 1 where a method behaved otherwise than expected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/validation.md"))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=float, default=1.0, help="share of the replicates, for a quick look")
    given = parser.parse_args(arguments)
    outcomes = run(all_settings(), seed=given.seed, share=given.share)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(report(outcomes, seed=given.seed), encoding="utf-8", newline="\n")
    sys.stderr.write(f"{given.output}: {len(outcomes)} rows\n")
    return int(any(not outcome.is_as_expected for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
