"""Power of a planned paired comparison of a measurement: Dice, a distance, the log of a reading time."""

import math

from equipoise.stats._common import STATS_VERSION
from equipoise.stats._mrmc_inference import Effects
from equipoise.stats._power import Power, Sides, power_of_sample, validate_sample, validate_test


def difference_power(
    difference: float,
    *,
    n_readers: int,
    n_cases: int,
    reader_sd: float,
    case_sd: float,
    residual_sd: float,
    readers: Effects = "random",
    cases: Effects = "random",
    alpha: float = 0.05,
    sides: Sides = 2,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> Power:
    """Compute the power to show a mean difference of two conditions, every reader measuring every case in both.

    Parameters
    ----------
    difference : float
        True mean difference, first (new) minus second: of Dice, of log time (the log of a time ratio), ...
    n_readers, n_cases : int
    reader_sd, case_sd, residual_sd : float
        Standard deviations of what readers, cases, and single reader-case pairs add to the *difference*. In a
        mixed model of the measurements themselves they are sqrt(2) times those of reader x condition, case x
        condition and the residual; what readers and cases add to both conditions alike cancels.
    readers, cases : {"random", "fixed"}, default "random"
        With fixed readers the conclusion is about exactly these, and ``reader_sd`` does not enter; so for
        cases.
    alpha : float, default 0.05
    sides : {1, 2}, default 2
    margin : float, optional
        Positive: non-inferiority with this margin, one-sided at ``alpha / sides``.
    higher_is_better : bool, default True
        Which way a one-sided test looks; False for times and distances.

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        For negative standard deviations, no variation at all, or a test or sample that does not exist.

    Notes
    -----
    The variance of the mean difference is reader_sd^2 / r + case_sd^2 / c + residual_sd^2 / (r c), its
    degrees of freedom are Satterthwaite's for MS(reader) + MS(case) - MS(residual) of the table of
    differences; c - 1 with fixed readers and r - 1 with fixed cases, where the test is the paired t test of
    case (reader) means and the power is exact. A standard deviation of 0 says that the planned model has no
    such term, as :func:`reading_time_model` has none for readers or cases that differ in the effect; without
    either the degrees of freedom are r c - 1.

    References
    ----------
    .. [1] Westfall J, Kenny DA, Judd CM. Statistical power and optimal design in experiments in which samples
       of participants respond to samples of stimuli. J Exp Psychol Gen 2014;143:2020 (fully crossed design).
    .. [2] Satterthwaite FE. Biometrics Bulletin 1946;2:110.

    Examples
    --------
    >>> planned = difference_power(
    ...     0.03, n_readers=8, n_cases=40, reader_sd=0.02, case_sd=0.05, residual_sd=0.06
    ... )
    >>> round(planned.power, 3), round(planned.standard_error, 4), round(planned.df, 1)
    (0.733, 0.0111, 22.7)
    """
    validate_test(difference=difference, alpha=alpha, sides=sides, margin=margin)
    validate_sample(n_readers=n_readers, n_cases=n_cases, readers=readers, cases=cases)
    for name, value in (("reader_sd", reader_sd), ("case_sd", case_sd), ("residual_sd", residual_sd)):
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{name} must not be negative and be finite, got {value!r}.")
    r, c = n_readers, n_cases
    own = residual_sd**2
    has_reader = readers == "random" and reader_sd > 0.0
    has_case = cases == "random" and case_sd > 0.0
    ms_reader, ms_case = own + c * reader_sd**2, own + r * case_sd**2
    if has_reader and has_case:
        total = ms_reader + ms_case - own
        scatter = ms_reader**2 / (r - 1) + ms_case**2 / (c - 1) + own**2 / ((r - 1) * (c - 1))
        df = total**2 / scatter
    elif has_reader:
        total, df = ms_reader, float(r - 1)
    elif has_case:
        total, df = ms_case, float(c - 1)
    else:
        total, df = own, float(r * c - 1)
    if not total > 0.0:
        raise ValueError("the standard deviations leave the difference no variation: one must be positive.")
    standard_error = math.sqrt(total / (r * c))
    return power_of_sample(
        difference,
        standard_error,
        df,
        alpha=alpha,
        sides=sides,
        margin=margin,
        higher_is_better=higher_is_better,
        n_readers=r,
        n_cases=c,
        readers=readers,
        cases=cases,
        method=f"mean of paired differences, {readers} readers and {cases} cases, Satterthwaite "
        f"(equipoise.stats {STATS_VERSION})",
    )
