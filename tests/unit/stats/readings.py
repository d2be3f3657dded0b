"""Readings that any machine makes alike, so that R's answers on them can be pasted into tests."""

import math
from typing import Any

from scipy.special import expit, ndtri

from equipoise.common.stable_random import StableRandom

STEPS = 1_000_000


def uniforms(count: int, purpose: str) -> list[float]:
    """Return numbers strictly between 0 and 1."""
    stream = StableRandom(1, purpose)
    return [(stream.below(STEPS) + 0.5) / STEPS for _ in range(count)]


def normals(count: int, purpose: str) -> list[float]:
    """Return standard normal numbers."""
    return [float(ndtri(value)) for value in uniforms(count, purpose)]


def preference_rows(n_readers: int = 12, n_cases: int = 30, n_items: int = 2) -> list[dict[str, Any]]:
    """Return one reading per reader and item; sides at random, readers, cases and items random."""
    readers, cases = normals(n_readers, "readers"), normals(n_cases, "cases")
    items = normals(n_cases * n_items, "items")
    sides, draws = uniforms(n_readers * len(items), "sides"), uniforms(n_readers * len(items), "draws")
    rows = []
    for r in range(n_readers):
        for i, item in enumerate(items):
            case = i // n_items
            left = sides[r * len(items) + i] < 0.5
            logit = 0.4 + (0.25 if left else -0.25) + 0.5 * readers[r] + 0.7 * cases[case] + 0.4 * item
            prefers = draws[r * len(items) + i] < expit(logit)
            rows.append(
                {
                    "participant": f"r{r:02d}",
                    "participant_kind": "reader",
                    "group": "radiologist" if r % 2 else "student",
                    "case": f"c{case:02d}",
                    "item": f"i{i:03d}",
                    "repeat": 1,
                    "preferred": "algorithm" if prefers else "expert",
                    "left_source": "algorithm" if left else "expert",
                    "right_source": "expert" if left else "algorithm",
                }
            )
    return rows


def time_rows(n_readers: int = 6, n_cases: int = 12) -> list[dict[str, Any]]:
    """Return a two-period crossover of aided and unaided readings with their times."""
    readers, cases = normals(n_readers, "time readers"), normals(n_cases, "time cases")
    noise = normals(n_readers * n_cases * 2, "time noise")
    rows = []
    for r in range(n_readers):
        for period in (1, 2):
            for c in range(n_cases):
                aided = ((c + r) % 2 == 0) == (period == 1)
                position = (c * 5 + r * 3 + period) % n_cases + 1
                log_time = 3.0 + 0.3 * readers[r] + 0.4 * cases[c] - 0.15 * aided - 0.1 * (period == 2)
                log_time += -0.004 * position + 0.35 * noise[(r * 2 + period - 1) * n_cases + c]
                rows.append(
                    {
                        "participant": f"r{r}",
                        "case": f"c{c:02d}",
                        "condition": "aided" if aided else "unaided",
                        "period": period,
                        "position": position,
                        "active_s": round(math.exp(log_time), 3),
                    }
                )
    return rows


def score_rows(n_readers: int = 4, n_cases: int = 10) -> list[dict[str, Any]]:
    """Return scores of every reader for every case under two conditions."""
    readers, cases = normals(n_readers, "score readers"), normals(n_cases, "score cases")
    noise = iter(normals(n_readers * n_cases * 2, "score noise"))
    return [
        {
            "reader": f"r{r}",
            "case": f"c{c:02d}",
            "condition": condition,
            "score": round(50 + 4 * readers[r] + 8 * cases[c] + 2 * (condition == "b") + 5 * next(noise), 1),
        }
        for condition in ("a", "b")
        for r in range(n_readers)
        for c in range(n_cases)
    ]
