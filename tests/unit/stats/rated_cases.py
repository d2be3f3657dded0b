"""Ratings of three readers in two conditions, small enough to type into R, and random tables of any design."""

import numpy as np
import pandas as pd

RATINGS = {
    ("aided", "a"): "2122332135333533",
    ("aided", "b"): "2122231343524523",
    ("aided", "c"): "3132324355543553",
    ("unaided", "a"): "2222331323242423",
    ("unaided", "b"): "1212322323233532",
    ("unaided", "c"): "2223531444533433",
}
TRUTH = "0000000001111111"
ALGORITHM = [0.1, 0.4, 0.2, 0.3, 0.5, 0.2, 0.7, 0.3, 0.6, 0.4, 0.9, 0.6, 0.5, 0.8, 0.3, 0.9]


def typed_readings() -> pd.DataFrame:
    """Return the table that the R sessions in the tests type in."""
    return pd.DataFrame(
        [
            {"reader": reader, "condition": condition, "case": case, "truth": int(t), "score": float(score)}
            for (condition, reader), scores in RATINGS.items()
            for case, (score, t) in enumerate(zip(scores, TRUTH, strict=True))
        ]
    )


def random_readings(
    seed: int, *, n_conditions: int = 2, n_readers: int = 4, n_cases: int = 30, levels: int = 6
) -> pd.DataFrame:
    """Return a fully crossed table of ordinal scores with reader, case and condition effects."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n_cases) % 2)
    ease = rng.normal(size=n_cases)
    rows = []
    for condition in range(n_conditions):
        for reader in range(n_readers):
            latent = 0.7 * ease + rng.normal(size=n_cases) + (0.8 + 0.3 * rng.normal()) * truth
            score = np.clip(np.round(latent * levels / 6 + levels / 2), 1, levels)
            rows += [
                {"reader": f"r{reader}", "condition": f"m{condition}", "case": k, "truth": t, "score": s}
                for k, (t, s) in enumerate(zip(truth.tolist(), score.tolist(), strict=True))
            ]
    return pd.DataFrame(rows)


def with_missing(readings: pd.DataFrame, seed: int, share: float = 0.15) -> pd.DataFrame:
    """Return the table without a random share of its rows."""
    keep = np.random.default_rng(seed).random(len(readings)) > share
    return readings[keep].reset_index(drop=True)


def cell_scores(readings: pd.DataFrame) -> dict[tuple[str, str], dict[int, tuple[float, int]]]:
    """Return (condition, reader) -> case -> (score, truth)."""
    cells: dict[tuple[str, str], dict[int, tuple[float, int]]] = {}
    columns = (readings[name].tolist() for name in ("condition", "reader", "case", "score", "truth"))
    for condition, reader, case, score, truth in zip(*columns, strict=True):
        cells.setdefault((condition, reader), {})[case] = (score, truth)
    return dict(sorted(cells.items()))


def slow_auc(cases: dict[int, tuple[float, int]]) -> float:
    """Return the AUC of one cell, pair by pair."""
    positives = [score for score, truth in cases.values() if truth == 1]
    negatives = [score for score, truth in cases.values() if truth == 0]
    wins = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives]
    return sum(wins) / len(wins)
