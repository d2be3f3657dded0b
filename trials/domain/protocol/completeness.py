"""What protocol lock needs: every part of the plan that is missing or contradicts another, all at once.

The list follows the rules for a valid reader study: one primary endpoint with its estimand, a hypothesis, error rate,
what is random, how secondary endpoints share the error rate, analysis sets, missing readings, sample size, registry.
"""

from collections.abc import Iterator

from trials.domain.protocol.design_checks import design_problems
from trials.domain.protocol.external_checks import external_problems
from trials.domain.protocol.problems import Problem, inconsistent, missing, needed, repeated
from trials.domain.protocol.questions import QuestionKind
from trials.domain.protocol.task_checks import question_problems, shown_algorithms, task_problems
from trials.domain.protocol.tasks import ClassificationTask
from trials.domain.protocol.v1 import HypothesisKind, Prevalence, PrimaryEndpoint, ProtocolV1, Reference

_NUMBERS = frozenset({QuestionKind.INTEGER, QuestionKind.NUMBER})


def lock_problems(protocol: ProtocolV1) -> tuple[Problem, ...]:
    """Return everything that stands between the protocol and protocol lock."""
    checks = (
        _study,
        _questionnaire,
        _tasks,
        _algorithms,
        _selection,
        _prevalence,
        design_problems,
        _allocation,
        _plan,
        external_problems,
        _seeds,
    )
    return tuple(problem for check in checks for problem in check(protocol))


def _study(protocol: ProtocolV1) -> Iterator[Problem]:
    consent = protocol.consent
    yield from needed(
        (
            ("/title", protocol.title, "The trial needs a title."),
            ("/consent/version", consent.version, "The consent needs a version."),
            ("/consent/text", consent.text, "The consent needs a text that readers agree to."),
            (
                "/consent/withdrawal_of_readings_until",
                consent.withdrawal_of_readings_until,
                "The consent must say until when readings can be withdrawn.",
            ),
            ("/instructions/text", protocol.instructions.text, "The readers need instructions."),
        )
    )
    yield from _reference("/registration", protocol.registration, "registry number")
    yield from _reference("/ethics", protocol.ethics, "ethics reference")


def _reference(pointer: str, reference: Reference, what: str) -> Iterator[Problem]:
    if reference.number is None and reference.none_because is None:
        yield missing(pointer, f"Give the {what} (number), or say why there is none (none_because).")
    if reference.number is not None and reference.none_because is not None:
        yield inconsistent(pointer, f"Give either the {what} or the reason for having none, not both.")


def _questionnaire(protocol: ProtocolV1) -> Iterator[Problem]:
    questionnaire = protocol.questionnaire
    by_key = {question.key: question for question in questionnaire.questions}
    pointer = "/questionnaire/questions"
    yield from repeated(pointer, (question.key for question in questionnaire.questions), "The question")
    for index, question in enumerate(questionnaire.questions):
        yield from question_problems(f"{pointer}/{index}", question)
    if questionnaire.group_question is None:
        yield missing(
            "/questionnaire/group_question",
            "Name the question whose answer is the reader's group (speciality).",
        )
    else:
        group = by_key.get(questionnaire.group_question)
        if group is None or group.kind is not QuestionKind.CHOICE or not group.required:
            yield inconsistent(
                "/questionnaire/group_question",
                f"'{questionnaire.group_question}' must be a required choice question of the questionnaire.",
            )
    if questionnaire.experience_question is not None:
        years = by_key.get(questionnaire.experience_question)
        if years is None or years.kind not in _NUMBERS:
            yield inconsistent(
                "/questionnaire/experience_question",
                f"'{questionnaire.experience_question}' must be a number question of the questionnaire.",
            )


def _tasks(protocol: ProtocolV1) -> Iterator[Problem]:
    if not protocol.tasks:
        yield missing("/tasks", "The protocol needs a task: what the readers are asked.")
    if len(protocol.tasks) > 1:
        yield inconsistent("/tasks/1", "A trial has one task; make another trial for another question.")
    yield from repeated("/tasks", (task.key for task in protocol.tasks), "The task")
    for index, task in enumerate(protocol.tasks):
        yield from task_problems(f"/tasks/{index}", task, protocol)


def _algorithms(protocol: ProtocolV1) -> Iterator[Problem]:
    sources = [algorithm.source for algorithm in protocol.algorithms]
    yield from repeated("/algorithms", sources, "The algorithm's source")
    for source in shown_algorithms(protocol):
        if source not in sources:
            yield missing(
                "/algorithms", f"Describe the algorithm whose source is '{source}': name and version."
            )
    for index, algorithm in enumerate(protocol.algorithms):
        pointer = f"/algorithms/{index}"
        if (algorithm.weights_sha256 is None) == (algorithm.weights_unknown_because is None):
            yield missing(
                f"{pointer}/weights_sha256",
                "Fix the model version: give either weights_sha256 or weights_unknown_because.",
            )
        if (algorithm.operating_threshold is None) != (algorithm.operating_threshold_from is None):
            yield inconsistent(
                f"{pointer}/operating_threshold", "A threshold goes with the data that it was chosen on."
            )


def _selection(protocol: ProtocolV1) -> Iterator[Problem]:
    items, selection = protocol.items, protocol.items.selection
    if items.unit == "slice" and (items.count is not None or items.cases):
        yield inconsistent(
            "/items", "How many slices are drawn is said by the selection, not by count or cases."
        )
    if items.count is not None and items.cases:
        yield inconsistent("/items/count", "Give either how many cases are drawn, or which; not both.")
    if items.strata and (items.unit == "slice" or items.count is None):
        yield inconsistent(
            "/items/strata",
            "Strata are of scans or volumes of which a count is drawn; slices have the selection's stratum.",
        )
    yield from repeated("/items/strata", items.strata, "The covariate")
    yield from repeated("/items/cases", items.cases, "The case")
    if selection.max_per_case is not None and selection.max_per_case < selection.max_per_case_and_expert:
        yield inconsistent(
            "/items/selection/max_per_case", "A case cannot have fewer items than one expert's share of it."
        )


def _prevalence(protocol: ProtocolV1) -> Iterator[Problem]:
    items, pointer = protocol.items, "/items/prevalence"
    prevalence = items.prevalence
    if prevalence == Prevalence():
        return
    if not isinstance(protocol.task, ClassificationTask):
        yield inconsistent(pointer, "Only a classification knows diseased cases; remove their share.")
    if (prevalence.target_percent is None) != (prevalence.target_from is None):
        yield missing(pointer, "A target prevalence goes with where it comes from (target_from).")
    if prevalence.sample_percent is None:
        return
    if prevalence.target_percent is None:
        yield missing(
            f"{pointer}/target_percent",
            "The share of diseased cases is set by the draw: state the prevalence that results are carried over to.",
        )
    if items.count is None:
        yield missing("/items/count", "Say how many cases are drawn, of which the share is taken.")


def _allocation(protocol: ProtocolV1) -> Iterator[Problem]:
    plan, items = protocol.allocation, protocol.items
    count = items.selection.count if items.unit == "slice" else items.count or len(items.cases) or None
    if not plan.strata:
        yield missing("/allocation/strata", "Say how many readers are planned: at least one stratum.")
    yield from repeated("/allocation/strata", (stratum.key for stratum in plan.strata), "The stratum")
    yield from _stratum_question(protocol)
    repeats = plan.hidden_repeats
    if repeats.count is not None and repeats.percent is not None:
        yield inconsistent("/allocation/hidden_repeats", "Give the repeats as count or percent, not both.")
    elif count is not None and protocol.repeats_of(count) > count:
        yield inconsistent(
            "/allocation/hidden_repeats",
            f"At most {count} items can be repeated; got {protocol.repeats_of(count)}.",
        )
    elif (
        count is not None
        and repeats.min_days is None
        and protocol.repeats_of(count)
        and repeats.min_distance > count
    ):
        yield inconsistent(
            "/allocation/hidden_repeats/min_distance",
            f"With {count} items a repeat cannot come {repeats.min_distance} readings later.",
        )
    if protocol.has_blinding_check and count is not None and plan.blinding_check.pairs > count:
        yield inconsistent(
            "/allocation/blinding_check/pairs",
            f"At most {count} pairs can be shown again; got {plan.blinding_check.pairs}.",
        )


def _stratum_question(protocol: ProtocolV1) -> Iterator[Problem]:
    plan = protocol.allocation
    if plan.stratum_question is None:
        if len(plan.strata) > 1:
            yield missing(
                "/allocation/stratum_question",
                "Name the question that decides which stratum a reader belongs to.",
            )
        for index, stratum in enumerate(plan.strata):
            if stratum.answers:
                yield inconsistent(
                    f"/allocation/strata/{index}/answers",
                    "Without a stratum question no answers lead to a stratum.",
                )
        return
    question = next(
        (one for one in protocol.questionnaire.questions if one.key == plan.stratum_question), None
    )
    if question is None or question.kind is not QuestionKind.CHOICE or not question.required:
        yield inconsistent(
            "/allocation/stratum_question",
            f"'{plan.stratum_question}' must be a required choice question of the questionnaire.",
        )
        return
    values = [option.value for option in question.options]
    answers = [answer for stratum in plan.strata for answer in stratum.answers]
    yield from repeated("/allocation/strata", answers, "The answer")
    for answer in sorted(set(answers) - set(values)):
        yield inconsistent("/allocation/strata", f"'{answer}' is no answer to '{question.key}'.")
    for value in values:
        if value not in answers:
            yield missing("/allocation/strata", f"Readers who answer '{value}' have no stratum.")


def _plan(protocol: ProtocolV1) -> Iterator[Problem]:
    plan = protocol.analysis_plan
    if plan.primary is None:
        yield missing("/analysis_plan/primary", "The plan needs one primary endpoint.")
    else:
        yield from _primary(plan.primary)
        yield from _confidence(protocol)
    if plan.secondary and (plan.multiplicity is None or plan.multiplicity.family is None):
        yield missing(
            "/analysis_plan/multiplicity",
            "Say in which order or with which correction the secondary endpoints are tested, and the family it covers.",
        )
    names = [*(endpoint.key for endpoint in plan.secondary), *([plan.primary.key] if plan.primary else [])]
    yield from repeated("/analysis_plan/secondary", names, "The endpoint")
    sets, rule = plan.analysis_sets, plan.missing_readings
    yield from needed(
        (
            (
                "/analysis_plan/analysis_sets/all_submitted",
                sets.all_submitted,
                "Describe the set of all submitted readings.",
            ),
            (
                "/analysis_plan/analysis_sets/per_protocol",
                sets.per_protocol,
                "Describe the per-protocol set.",
            ),
            (
                "/analysis_plan/analysis_sets/per_protocol_excludes",
                sets.per_protocol_excludes or None,
                "Name the deviations that take a reading out of the per-protocol set.",
            ),
            (
                "/analysis_plan/missing_readings/missing",
                rule.missing,
                "Say how missing readings are handled.",
            ),
            (
                "/analysis_plan/missing_readings/cannot_assess",
                rule.cannot_assess,
                "Say how readings that could not be assessed are handled.",
            ),
            (
                "/analysis_plan/missing_readings/sensitivity_analysis",
                rule.sensitivity_analysis,
                "Name one sensitivity analysis for missing and not assessable readings.",
            ),
            (
                "/analysis_plan/sample_size/rationale",
                plan.sample_size.rationale,
                "Say why so many readers and items.",
            ),
        )
    )
    for index, look in enumerate(plan.looks):
        if look.technical_only == (look.alpha_spending is not None):
            yield inconsistent(
                f"/analysis_plan/looks/{index}",
                "A look is either technical only or says how it spends alpha.",
            )
    yield from repeated("/analysis_plan/looks", (str(look.number) for look in plan.looks), "The look")


def _primary(primary: PrimaryEndpoint) -> Iterator[Problem]:
    pointer = "/analysis_plan/primary"
    estimand = primary.estimand
    if estimand is None:
        yield missing(
            f"{pointer}/estimand",
            "The primary endpoint needs an estimand: readers, cases, contrast, summary, intercurrent events.",
        )
    else:
        yield from needed(
            (
                (
                    f"{pointer}/estimand/readers",
                    estimand.readers,
                    "Say which population the readers stand for.",
                ),
                (f"{pointer}/estimand/cases", estimand.cases, "Say which population the cases stand for."),
                (f"{pointer}/estimand/contrast", estimand.contrast, "Say what is compared with what."),
                (
                    f"{pointer}/estimand/summary",
                    estimand.summary,
                    "Say which number summarises the contrast.",
                ),
            )
        )
        if not estimand.intercurrent_events:
            yield missing(
                f"{pointer}/estimand/intercurrent_events", "Name the intercurrent events and their handling."
            )
    yield from needed(
        (
            (f"{pointer}/readers", primary.readers, "Say whether readers are random or fixed."),
            (f"{pointer}/cases", primary.cases, "Say whether cases are random or fixed."),
        )
    )
    yield from _hypothesis(primary)


def _hypothesis(primary: PrimaryEndpoint) -> Iterator[Problem]:
    pointer = "/analysis_plan/primary"
    hypothesis = primary.hypothesis
    if hypothesis is None:
        yield missing(
            f"{pointer}/hypothesis", "Say what is to be shown: superiority, non_inferiority or estimation."
        )
        return
    if hypothesis.kind is HypothesisKind.ESTIMATION:
        return
    yield from needed(
        (
            (f"{pointer}/alpha", primary.alpha, "A test needs its error rate alpha."),
            (f"{pointer}/sides", primary.sides, "A test needs its number of sides."),
            (
                f"{pointer}/hypothesis/direction",
                hypothesis.direction,
                "Say in which direction the effect is expected.",
            ),
        )
    )
    if hypothesis.kind is HypothesisKind.NON_INFERIORITY:
        yield from needed(
            (
                (f"{pointer}/hypothesis/margin", hypothesis.margin, "Non-inferiority needs a margin."),
                (
                    f"{pointer}/hypothesis/justification",
                    hypothesis.justification,
                    "The margin needs a justification.",
                ),
            )
        )
        if hypothesis.direction == "two_sided":
            yield inconsistent(
                f"{pointer}/hypothesis/direction",
                "Non-inferiority has a direction: say whether higher or lower is better.",
            )
    elif hypothesis.direction == "two_sided" and primary.sides == 1:
        yield inconsistent(f"{pointer}/sides", "A two-sided direction goes with two sides.")


def _confidence(protocol: ProtocolV1) -> Iterator[Problem]:
    """The printed interval and the test must say the same: 95 % with 0.05 two-sided or 0.025 one-sided."""
    primary = protocol.analysis_plan.primary
    if primary is None or primary.alpha is None or primary.sides is None:
        return
    two_sided = primary.alpha if primary.sides == 2 else 2 * primary.alpha
    if protocol.analysis_plan.confidence_level != 1 - two_sided:
        yield inconsistent(
            "/analysis_plan/confidence_level",
            f"The interval must match the test: alpha {primary.alpha} with {primary.sides} side(s) goes with a "
            f"confidence level of {1 - two_sided}.",
        )


def _seeds(protocol: ProtocolV1) -> Iterator[Problem]:
    seeds = protocol.seeds
    yield from needed(
        (
            ("/seeds/item_draw", seeds.item_draw, "The draw of items needs a seed."),
            ("/seeds/analysis", seeds.analysis, "The analysis needs a seed for its resampling."),
            ("/seeds/simulation", seeds.simulation, "The rehearsal needs a seed for its simulated readers."),
        )
    )
