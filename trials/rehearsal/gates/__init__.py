"""Which primary analyses can be repeated, one module each: what is simulated and what the estimate is held to.

Which of them a protocol may ask for is in :mod:`trials.domain.rehearsal_repeats`.
"""

from collections.abc import Mapping

from trials.rehearsal.gates import (
    mrmc,
    observer_variability,
    preference,
    segmentation_performance,
    survey,
    survival,
)
from trials.rehearsal.gates.study import Gate

GATES: Mapping[str, Gate] = {
    "preference": preference.GATE,
    "mrmc": mrmc.GATE,
    "observer-variability": observer_variability.GATE,
    "segmentation-performance": segmentation_performance.GATE,
    "survey": survey.GATE,
    "survival": survival.GATE,
}
