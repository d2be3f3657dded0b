"""The design in words: task, conditions, blinding, material, readers, algorithms, plan."""

from typing import Any

from django.utils.safestring import SafeString

from equipoise.analysis.wording import count_words
from trials.domain.protocol.v1 import Endpoint, ProtocolV1, Reference
from trials.reports.report_page import counts_words, facts_list, heading, joined, paragraphs, section, table
from trials.selectors.external import external_all_current, external_provenance, external_sentence
from trials.selectors.report import APPARENT, ReportFacts


def _reference_words(reference: Reference) -> str:
    if reference.number:
        return f"{reference.registry or 'number'} {reference.number}"
    return f"none, because: {reference.none_because}" if reference.none_because else "not stated"


def design_section(facts: ReportFacts) -> SafeString:
    protocol = facts.protocol
    plan, design, task = protocol.analysis_plan, protocol.allocation.design, protocol.task
    repeats = protocol.allocation.hidden_repeats
    asked = getattr(task, "question", None) or ""
    decision, rating = getattr(task, "decision", None), getattr(task, "rating", None)
    kinds = {
        "single": "every item once, in one condition",
        "split": "every item once, in one of the conditions",
        "crossover": "crossover in two periods",
        "sequential": "sequential: the first answer is committed before the second condition is shown",
        "fully-crossed": "fully crossed: every item in every condition",
        "parallel": "parallel groups: every reader in one condition",
    }
    primary = plan.primary
    rows: list[tuple[str, Any]] = [
        ("Aim", protocol.summary),
        ("Registration", _reference_words(protocol.registration)),
        ("Ethics", _reference_words(protocol.ethics)),
        ("Task", task.kind if task is not None else ""),
        ("Question", asked or (decision.question if decision is not None else "")),
        (
            "Rating",
            f"{rating.question} From {rating.lowest} to {rating.highest}." if rating is not None else "",
        ),
        ("Item", f"a {protocol.items.unit}; structure: {protocol.items.structure}"),
        ("Design", kinds[design.kind]),
        ("Cases of a reader", _case_sets(protocol)),
        (
            "Reading conditions (modalities)",
            "; ".join(f"{one.key}: {one.label} ({one.factor})" for one in design.conditions),
        ),
        ("AI assistance", _assistance(protocol)),
        (
            "Washout",
            f"at least {design.washout_days} days" if design.kind in ("crossover", "fully-crossed") else "",
        ),
        (
            "Readers planned",
            "; ".join(f"{one.label}: {one.participants}" for one in protocol.allocation.strata),
        ),
        (
            "Replicates",
            count_words(repeats.count, "item")
            if repeats.count
            else f"{repeats.percent} % of the items"
            if repeats.percent
            else "",
        ),
        ("Readers were told", protocol.disclosure),
    ]
    practised = (
        f"{count_words(protocol.practice.count, 'item')}, "
        f"{count_words(facts.conduct.practice_readings, 'reading')}"
    )
    blinding = [
        (
            "Orders and sides come from an allocation drawn at protocol lock from a sealed seed, which was committed "
            "to by its hash and published at unblinding."
        ),
        "Each reader reads alone, in an order of their own, without the reference standard or others' answers.",
        (
            f"Readings of one case stand at least {protocol.allocation.min_case_distance} places apart where "
            "arithmetic allows."
        ),
        f"After the last reading {protocol.allocation.blinding_check.pairs} pairs came back with the question: "
        f"{protocol.allocation.blinding_check.question}"
        if protocol.has_blinding_check
        else "",
    ]
    return section(
        "design",
        "Design",
        facts_list(rows),
        heading("Blinding and order", "blinding"),
        paragraphs(blinding),
        heading("Material", "material"),
        _material(facts),
        heading("Readers", "readers"),
        facts_list(
            [
                ("By group", counts_words(facts.readers.groups)),
                ("Years of experience", counts_words(facts.readers.experience, _years())),
                ("Practice", f"{practised}, not analysed"),
            ]
        ),
        heading("Algorithms", "algorithms"),
        _algorithms(facts),
        heading("Plan", "plan"),
        _plan(facts) if primary is not None else paragraphs(["The plan has no primary endpoint."]),
    )


def _case_sets(protocol: ProtocolV1) -> str:
    sets = protocol.allocation.design.case_sets
    if sets is None:
        return "all"
    if sets.kind == "blocks":
        return f"split-plot: one of {sets.blocks} blocks of cases, each read by a block of readers"
    return (
        f"incomplete: {count_words(sets.overlap_cases, 'case')} read by everybody, each other case by "
        f"{sets.readers_per_case} of the planned readers of every stratum"
    )


def _years() -> dict[str, str]:
    return {band: f"with {band} years" for band in ("0-2", "3-5", "6-10", "over 10")}


def _assistance(protocol: ProtocolV1) -> str:
    aided = [one for one in protocol.conditions if one.aid is not None]
    if not aided:
        return ""
    how = "sequential" if protocol.allocation.design.kind == "sequential" else "concurrent"
    told = []
    for one in aided:
        assert one.aid is not None
        what = [
            name
            for name, yes in (("probability", one.aid.probability), ("heat map", one.aid.heat_map))
            if yes
        ]
        sham = f", sham ({one.aid.sham.replace('_', ' ')})" if one.aid.sham != "none" else ""
        told.append(
            f"{one.key}: AI-assisted ({how}), {' and '.join(what) or 'nothing'} of {one.aid.source}{sham}"
        )
    return "; ".join(told)


def _material(facts: ReportFacts) -> SafeString:
    protocol, cases = facts.protocol, facts.cases
    selection, quality, rules = protocol.items.selection, protocol.quality, protocol.deidentification
    rows: list[tuple[str, Any]] = [
        ("Cases (patients)", f"{cases.trial}; {cases.practice} more for practice, from other patients"),
        (
            "Items",
            f"{cases.items}, drawn from {cases.slices_qualifying} slices by the rule that the Dice of the two contours "
            f"on the slice exceeds {selection.above}; what the rule left out limits to what slices the results apply"
            if cases.slices_qualifying is not None
            else f"{cases.items}",
        ),
        ("Share of diseased cases", _prevalence(protocol)),
        ("Characteristics known", ", ".join(cases.covariates)),
        ("Reference standard", _reference_standard(facts)),
        (
            "Limits on images",
            "; ".join(
                f"{name.replace('_', ' ')}: {_limit(value)}"
                for name, value in quality.model_dump(exclude_defaults=True).items()
            ),
        ),
        (
            "De-identification",
            (
                f"descriptors {rules.descriptors}, dates {rules.dates}, "
                f"patients' characteristics {'kept' if rules.patient_characteristics else 'removed'}"
            ),
        ),
    ]
    return facts_list(rows)


def _prevalence(protocol: ProtocolV1) -> str:
    prevalence = protocol.items.prevalence
    parts = []
    if prevalence.sample_percent is not None:
        parts.append(f"drawn to be {prevalence.sample_percent} %")
    if prevalence.target_percent is not None:
        parts.append(
            f"results are carried over to a prevalence of {prevalence.target_percent} % ({prevalence.target_from})"
        )
    return "; ".join(parts)


def _limit(value: Any) -> str:
    if isinstance(value, dict):
        low, high = value.get("low"), value.get("high")
        return f"{low} to {high}" if low and high else f"from {low}" if low else f"up to {high}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "yes" if value is True else str(value)


def _reference_standard(facts: ReportFacts) -> str:
    if set(facts.cases.reference) <= {"none"}:
        return ""
    sources = "; ".join(f"{source}, by {labellers}" for source, labellers in facts.cases.reference_sources)
    return f"{counts_words(facts.cases.reference)}. {sources}. Only final ones enter analyses."


def _algorithms(facts: ReportFacts) -> SafeString:
    if not facts.algorithms:
        return paragraphs(["No algorithm takes part."])
    rows = [
        (
            one.code or "contours only",
            f"{one.name} {one.version} ({one.source})",
            one.weights_sha256 or "not known",
            f"{one.threshold}, from {one.threshold_from or 'not stated'}" if one.threshold else "none",
            one.results,
            counts_words(one.failures) or "none",
            counts_words(one.used_in_training) if one.code else next(iter(one.used_in_training)),
            APPARENT if one.is_apparent else "",
        )
        for one in facts.algorithms
    ]
    columns = (
        "Code", "Model", "Weights (SHA-256)", "Operating threshold", "Results", "Failures", "Used in training (cases)",
        "Mark",
    )  # fmt: skip
    heat = sum(one.heat_maps for one in facts.algorithms)
    return joined([table(columns, rows), paragraphs([f"{heat} heat maps were stored." if heat else ""])])


def _plan(facts: ReportFacts) -> SafeString:
    protocol = facts.protocol
    plan = protocol.analysis_plan
    primary = plan.primary
    assert primary is not None
    estimand, hypothesis = primary.estimand, primary.hypothesis
    rows: list[tuple[str, Any]] = [
        ("Primary endpoint", _endpoint(primary)),
        ("Readers and cases", f"readers {primary.readers}, cases {primary.cases}"),
    ]
    if estimand is not None:
        events = "; ".join(f"{one.event}: {one.handling.rstrip('.')}" for one in estimand.intercurrent_events)
        rows += [
            ("Population of readers", estimand.readers),
            ("Population of cases", estimand.cases),
            ("Contrast", estimand.contrast),
            ("Summary", estimand.summary),
            ("Intercurrent events", events),
        ]
    if hypothesis is not None:
        margin = f", margin {hypothesis.margin}" if hypothesis.margin is not None else ""
        direction = f", {hypothesis.direction.replace('_', ' ')}" if hypothesis.direction else ""
        rows.append(("Hypothesis", f"{hypothesis.kind.replace('_', ' ')}{margin}{direction}"))
        rows.append(("Why so", hypothesis.justification))
    sides = f", {primary.sides}-sided" if primary.sides else ""
    rows += [
        ("Alpha", f"{primary.alpha}{sides}" if primary.alpha is not None else ""),
        ("Secondary endpoints", "; ".join(map(_endpoint, plan.secondary))),
        ("Multiplicity", plan.multiplicity.method.replace("_", " ") if plan.multiplicity else ""),
        ("Analysis set", primary.analysis_set.replace("_", " ")),
        ("Missing readings", plan.missing_readings.missing),
        ("Could not be assessed", plan.missing_readings.cannot_assess),
        ("Sensitivity analysis", plan.missing_readings.sensitivity_analysis),
        ("Sample size", plan.sample_size.rationale),
        (
            "Rehearsal before protocol lock",
            "; ".join((*(facts.conduct.rehearsals or ("none",)), *facts.conduct.waivers)),
        ),
        ("Answer used", f"the {plan.answer_used} one of a corrected reading"),
        ("Looks by arm before data lock", f"{len(plan.looks)} planned" if plan.looks else "none planned"),
        ("Seeds", f"items {protocol.seeds.item_draw}, analysis {protocol.seeds.analysis}"),
    ]
    rows += [
        (
            "External data",
            f"{external_sentence(table)} {external_provenance(table)['collected'] or 'Not planned.'}",
        )
        for table in external_all_current(facts.trial)
    ]
    return facts_list(rows)


def _endpoint(endpoint: Endpoint) -> str:
    data = f" of the external data {endpoint.data}" if endpoint.data is not None else ""
    return f"{endpoint.name} ({endpoint.analysis}{data})"
