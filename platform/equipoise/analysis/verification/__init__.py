"""Checks of the installed statistics and metrics against reference cases with known results.

One module per family of cases turns a case into a call of the public functions; the runner compares.
"""

from equipoise.analysis.verification.outcomes import CaseOutcome, FamilyReport, Superseded, VerificationReport
from equipoise.analysis.verification.runner import FAMILIES, own_cases_folder, verify_folder

__all__ = [
    "FAMILIES",
    "CaseOutcome",
    "FamilyReport",
    "Superseded",
    "VerificationReport",
    "own_cases_folder",
    "verify_folder",
]
