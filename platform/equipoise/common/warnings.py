"""Warnings that the statistics, metrics and analyses share.

An undefined statistic is ``nan`` together with one of these warnings, never a silent 0.
"""


class DegenerateDataWarning(UserWarning):
    """The data do not define the statistic (an empty mask, one class only, zero variance)."""
