"""Power of a planned multi-reader multi-case comparison of two conditions, from a pilot study."""

import math

from equipoise.stats._common import STATS_VERSION
from equipoise.stats._mrmc_inference import Effects, satterthwaite
from equipoise.stats._mrmc_results import MRMCResult, VarianceComponents
from equipoise.stats._power import Power, Sides, power_of_sample, validate_sample, validate_test


def mrmc_power(
    pilot: MRMCResult | VarianceComponents,
    difference: float,
    *,
    n_readers: int,
    n_cases: int,
    pilot_cases: int | None = None,
    readers: Effects = "random",
    cases: Effects = "random",
    alpha: float = 0.05,
    sides: Sides = 2,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> Power:
    """Compute the power of a planned Obuchowski-Rockette comparison: every reader reads every case in both conditions.

    Parameters
    ----------
    pilot : MRMCResult or VarianceComponents
        A fully crossed analysis by :func:`mrmc`, of any of its metrics, or published components: reader x
        condition variance, error variance and the covariances cov1 to cov3. ``var_reader`` is not used.
    difference : float
        True difference of the conditions, first (new) minus second, on the scale of the metric.
    n_readers, n_cases : int
        Of the planned study. Cases are those that enter the metric: the diseased ones for sensitivity, those
        without disease for specificity, all of them otherwise.
    pilot_cases : int, optional
        Cases from which the components are; taken from an ``MRMCResult``, to be given with components.
    readers, cases : {"random", "fixed"}, default "random"
        As the planned :func:`mrmc` will treat them.
    alpha : float, default 0.05
    sides : {1, 2}, default 2
    margin : float, optional
        Positive: the test is :func:`non_inferiority` with this margin, one-sided at ``alpha / sides``.
    higher_is_better : bool, default True
        Which way a one-sided test looks.

    Returns
    -------
    Power

    Raises
    ------
    ValueError
        For a pilot that is not fully crossed or lacks a component, or a test or sample that does not exist.

    Notes
    -----
    Error variance and covariances fall in proportion to the number of cases, so the planned study must have
    the pilot's share of diseased cases. With r readers, negative estimates set to 0 where the analysis does
    so, and k = pilot cases / planned cases, the denominator of the test is
    ``D = var_interaction + k [var_error - cov1 + (r - 1) (cov2 - cov3)]``; the squared noncentrality is
    ``r difference^2 / (2 D)``; the degrees of freedom are those of Hillis 2007 with
    ``E MS(TR) = var_interaction + k [var_error - cov1 - (cov2 - cov3)]``. With fixed readers
    ``var_interaction`` is left out and the test is normal, as :func:`mrmc` has it; with fixed cases D is
    E MS(TR), with r - 1 degrees of freedom.

    A pilot's components are estimates: with five readers the interaction variance is little more than a
    guess, and so is the power.

    References
    ----------
    .. [1] Hillis SL, Obuchowski NA, Berbaum KS. Power estimation for multireader ROC methods: an updated and
       unified approach. Acad Radiol 2011;18:129.
    .. [2] Hillis SL. Stat Med 2007;26:596 (degrees of freedom).
    .. [3] Chen W, Petrick NA, Sahiner B. Acad Radiol 2012;19:1158 (non-inferiority).

    Examples
    --------
    The Van Dyke data, as RJafroc plans from them:

    >>> from equipoise.stats import VarianceComponents
    >>> van_dyke = VarianceComponents(
    ...     var_reader=0.0015349993, var_interaction=0.0002004025, var_error=0.0008022883,
    ...     cov1=0.0003466137, cov2=0.0003440748, cov3=0.0002390284,
    ... )
    >>> planned = mrmc_power(van_dyke, 0.0438003, n_readers=6, n_cases=111, pilot_cases=114)
    >>> round(planned.power, 4), round(planned.df, 1)
    (0.5526, 23.2)
    """
    validate_test(difference=difference, alpha=alpha, sides=sides, margin=margin)
    validate_sample(n_readers=n_readers, n_cases=n_cases, readers=readers, cases=cases)
    components, n_pilot = _components(pilot, pilot_cases)
    k = n_pilot / n_cases
    between_readers = max(components.cov2 - components.cov3, 0.0)
    interaction = max(components.var_interaction, 0.0)
    own = components.var_error - components.cov1
    mean_square = interaction + k * (own - between_readers)
    if readers == "fixed":
        denominator, df = k * (own + (n_readers - 1) * between_readers), math.inf
    elif cases == "fixed":
        denominator, df = mean_square, float(n_readers - 1)
    else:
        denominator = mean_square + k * n_readers * between_readers
        df = satterthwaite(denominator, max(mean_square, 0.0), n_readers - 1)
    if not denominator > 0.0 or math.isnan(df):
        raise ValueError(
            f"the components leave the difference no variance (denominator {denominator:.3g}): "
            "var_error must exceed cov1, and cov2 - cov3 must not exceed var_error - cov1."
        )
    standard_error = math.sqrt(2.0 * denominator / n_readers)
    return power_of_sample(
        difference,
        standard_error,
        df,
        alpha=alpha,
        sides=sides,
        margin=margin,
        higher_is_better=higher_is_better,
        n_readers=n_readers,
        n_cases=n_cases,
        readers=readers,
        cases=cases,
        method=f"Obuchowski-Rockette, {readers} readers and {cases} cases, by Hillis, Obuchowski & Berbaum 2011 "
        f"(equipoise.stats {STATS_VERSION})",
    )


def _components(
    pilot: MRMCResult | VarianceComponents, pilot_cases: int | None
) -> tuple[VarianceComponents, int]:
    if isinstance(pilot, MRMCResult):
        if pilot_cases is not None:
            raise ValueError("pilot_cases comes from the pilot's result and is not to be given beside it.")
        if (pilot.case_design, pilot.reader_design) != ("crossed", "crossed"):
            raise ValueError(
                f"the pilot must be fully crossed to plan from, but its cases are {pilot.case_design} "
                f"and its readers {pilot.reader_design}."
            )
        entering = {"sensitivity": pilot.n_positive, "specificity": pilot.n_negative}
        components, pilot_cases = pilot.components, entering.get(pilot.metric, pilot.n_cases)
    else:
        components = pilot
        if pilot_cases is None:
            raise ValueError("pilot_cases must be given with components: they hold for that many cases.")
    if pilot_cases < 1:
        raise ValueError(f"pilot_cases must be at least 1, got {pilot_cases}.")
    absent = [
        name
        for name in ("var_interaction", "var_error", "cov1", "cov2", "cov3")
        if not math.isfinite(getattr(components, name))
    ]
    if absent:
        raise ValueError(
            f"the pilot defines no {', '.join(absent)}: it needs two readers and two conditions at least."
        )
    return components, pilot_cases
