"""Planning a trial: power by simulation of the planned analysis, and what readers and cases trade for each other.

The formulas are in :mod:`equipoise.stats` (``mrmc_power``, ``preference_power``, ``difference_power``); here stands
what needs simulated readers, several processes or a figure.
"""

from equipoise.analysis.planning.simulated import SimulatedPower, simulate_power
from equipoise.analysis.planning.studies import DifferenceStudy, MRMCStudy, PreferenceStudy, TimeStudy
from equipoise.analysis.planning.trade_off import TradeOff, trade_off

__all__ = [
    "DifferenceStudy",
    "MRMCStudy",
    "PreferenceStudy",
    "SimulatedPower",
    "TimeStudy",
    "TradeOff",
    "simulate_power",
    "trade_off",
]
