"""Compute every reported number of this bundle again, from its tables alone, and compare.

Needs Python 3.11 and `pip install equipoise`; no server. Exits 0 if every number agrees within 1e-6, else 1.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

from equipoise.analysis import AnalysisPlan, run_analysis

FOLDER = Path(__file__).resolve().parent
TOLERANCE = 1e-6
"""Absolute below 1, relative above."""
COMPARED = ("value", "standard_error", "statistic", "df", "pvalue", "n", "n_missing", "interval")


def main() -> int:
    """Run every analysis of the bundle again and print what differs."""
    differing = 0
    for entry in _json("results.json")["analyses"]:
        told = _json(entry["results"])
        again = _again(told, entry["tables"])
        problems = list(_problems(told["numbers"], again["numbers"]))
        differing += len(problems)
        same_data = "same data" if again["data_sha256"] == told["data_sha256"] else "data hash differs"
        verdict = "equal" if not problems else f"{len(problems)} differ"
        run = entry["results"].split("/")[1]
        print(f"{run}: {len(told['numbers'])} numbers, {verdict}; {same_data}")
        for problem in problems:
            print(f"  {problem}")
    return 1 if differing else 0


def _json(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def _again(told: dict[str, Any], tables: dict[str, str]) -> dict[str, Any]:
    plan = AnalysisPlan(
        role=told["role"],
        confidence_level=told["confidence_level"],
        seed=told["rng_seed"],
        parameters={name: value for name, value in told["parameters"].items() if value is not None},
        analysis_set=told.get("analysis_set", "all_submitted"),
        where=told.get("where", {}),
    )
    paths = {name: FOLDER / file for name, file in tables.items()}
    return run_analysis(told["name"], paths, plan=plan).to_json()


def _problems(told: list[dict[str, Any]], again: list[dict[str, Any]]) -> Any:
    if len(told) != len(again):
        yield f"{len(told)} numbers were reported, {len(again)} were computed"
    for one, other in zip(told, again, strict=False):
        name = f"{one['quantity']} {json.dumps(one['subject'])}"
        if (one["quantity"], one["subject"]) != (other["quantity"], other["subject"]):
            yield f"{name} was reported, {other['quantity']} {json.dumps(other['subject'])} was computed"
            continue
        for field in COMPARED:
            if not _equal(one[field], other[field]):
                yield f"{name}, {field}: reported {one[field]}, computed {other[field]}"


def _equal(told: Any, again: Any) -> bool:
    if isinstance(told, dict) and isinstance(again, dict):
        return told.keys() == again.keys() and all(_equal(told[key], again[key]) for key in told)
    if isinstance(told, list) and isinstance(again, list):
        return len(told) == len(again) and all(map(_equal, told, again))
    if isinstance(told, (int, float)) and isinstance(again, (int, float)):
        return math.isclose(told, again, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(told == again)


if __name__ == "__main__":
    sys.exit(main())
