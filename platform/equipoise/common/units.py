"""Constants of conversion, named once."""

ML_PER_MM3 = 1e-3
"""Millilitres in a cubic millimetre."""
SECONDS_PER_DAY = 86_400
MS_PER_SECOND = 1_000
