"""What of a trial's tables may be public: columns, bands of experience, groups of readers, other codes than screens."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Mapping

LEAST_READERS = 5
"""A group of fewer is merged with others: its members could be told from what is known of them."""
PUBLIC_COLUMNS = (
    "participant", "participant_kind", "group", "case", "item", "condition", "repeat", "period", "task", "score",
    "decision", "preferred", "left_source", "right_source", "choice_side", "decision_s", "wall_s", "visible_s",
    "active_s", "active_30_s", "active_120_s", "comment_s", "flags", "state", "reason_code", "corrected_preferred",
    "corrected_decision", "corrected_score", "run_s", "cold_start_s", "failure_code", "used_in_training",
    "aid_available", "aid_probability", "attempt", "earlier_visible_s",
)  # fmt: skip
"""Of the readings' fixed columns; those of the task and the answers of a rating form come beside."""
COMMENT = "comment"
"""A column of words: public only where somebody has read them all."""
WITHHELD_COLUMNS = (
    "trial", "experience_years", "slice", "session", "position", "left_contour_id", "right_contour_id", "device",
    "aid_result_id", COMMENT,
)  # fmt: skip
"""Of the readings' fixed columns: who read when and in which order, rows of the database, words."""
_BANDS = ((2, "0-2"), (5, "3-5"), (10, "6-10"))
"""Years up to and with which a band goes."""
_LONGEST = ">10"


def experience_band(years: float) -> str:
    """Return the band of a number of years; what lies between two bands belongs to the upper one."""
    return next((band for most, band in _BANDS if years <= most), _LONGEST)


def merged_classes(class_of: Mapping[str, str], *, pooled: str, least: int = LEAST_READERS) -> dict[str, str]:
    """Return member -> class, where every class has so many members or there is one class alone.

    Smaller classes are pooled; where these together are too few still, the next smallest goes with them.
    """
    sizes = Counter(class_of.values())
    by_size = sorted(sizes, key=lambda name: (sizes[name], name))
    small = [name for name in by_size if sizes[name] < least]
    rest = by_size[len(small) :]
    while rest and 0 < sum(sizes[name] for name in small) < least:
        small.append(rest.pop(0))
    return {member: pooled if own in small else own for member, own in class_of.items()}


def public_codes(codes: Iterable[str], *, prefix: str, secret: bytes) -> dict[str, str]:
    """Return code -> public code, in an order that only the secret gives: the same at each making."""

    def place(code: str) -> bytes:
        return hmac.new(secret, f"public code of {prefix} {code}".encode(), hashlib.sha256).digest()

    ordered = sorted(set(codes), key=place)
    digits = max(2, len(str(len(ordered))))
    return {code: f"{prefix}-{number:0{digits}d}" for number, code in enumerate(ordered, start=1)}
