"""Reporting checklists, filled from the facts of the trial, with links into the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from trials.domain.checklists import NOT_OFFERED, Checklist, FilledItem, Status, checklists_for
from trials.reports.report_page import paragraphs, section
from trials.selectors.report import ReportFacts

AGREEMENT = frozenset({"agreement", "observer-variability", "preference"})
ACCURACY = frozenset({"roc", "mrmc", "operating-point"})


def checklist_facts(facts: ReportFacts, told: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    protocol, plan = facts.protocol, facts.protocol.analysis_plan
    primary, algorithms, missing = plan.primary, facts.algorithms, plan.missing_readings
    names = {one["name"] for one in told}
    final = bool(set(facts.cases.reference) - {"none"})
    return {
        "registered": protocol.registration.number is not None,
        "ethics": protocol.ethics.number is not None,
        "algorithm": bool(algorithms),
        "model_version": bool(algorithms) and all(one.weights_sha256 for one in algorithms),
        "threshold": any(one.threshold and one.threshold_from for one in algorithms),
        "training_use": bool(algorithms)
        and not any(one.used_in_training.get("unknown") for one in algorithms),
        "training_use_no": bool(algorithms) and not any(one.is_apparent for one in algorithms),
        "failures": any(one.results or one.failures for one in algorithms),
        "reference": final,
        "labellers": final,
        "sample_size": plan.sample_size.rationale is not None,
        "hypothesis": primary is not None and primary.hypothesis is not None,
        "estimand": primary is not None
        and primary.estimand is not None
        and bool(primary.estimand.readers and primary.estimand.cases),
        "missing_rule": missing.missing is not None and missing.cannot_assess is not None,
        "sensitivity": missing.sensitivity_analysis is not None,
        "quality": bool(protocol.quality.model_dump(exclude_defaults=True)),
        "experience": bool(facts.readers.experience),
        "covariates": bool(facts.cases.covariates),
        "summary": protocol.summary is not None,
        "repeats": bool(facts.readings.kinds.get("repeat")),
        "accuracy": bool(names & ACCURACY),
        "intervals": any(number["interval"] is not None for one in told for number in one["numbers"]),
        "aid": any(one.aid is not None for one in protocol.conditions),
        "heat_maps": any(one.heat_maps for one in algorithms),
    }


def checklists_section(facts: ReportFacts, told: Sequence[Mapping[str, Any]]) -> SafeString:
    known = checklist_facts(facts, told)
    chosen = checklists_for(known, agreement=any(one["name"] in AGREEMENT for one in told))
    words = [
        (
            "What this report says of each item, filled from the database. Items in our words; the published "
            "statement is the reference. How many are reported is not a score of quality."
        ),
        NOT_OFFERED,
    ]
    parts = [_checklist(one, one.filled(known)) for one in chosen]
    return section("checklists", "Reporting checklists", paragraphs(words), *parts)


def _checklist(checklist: Checklist, items: Sequence[FilledItem]) -> SafeString:
    counts = {status: sum(1 for one in items if one.status is status) for status in Status}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    rows = format_html_join(
        "",
        '<tr class="{}"><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>',
        (
            (
                one.status.replace(" ", "-"),
                one.number,
                one.text,
                one.status,
                format_html('<a href="#{}">{}</a>', one.section, one.section) if one.section else one.why,
            )
            for one in items
        ),
    )
    return format_html(
        '<h3 id="checklist-{}">{}</h3><p>{} {}.</p><table class="checklist"><thead><tr><th scope="col">Item</th>'
        '<th scope="col">Subject</th><th scope="col">Status</th><th scope="col">Where, or why not</th></tr></thead>'
        '<tbody>{}</tbody></table><p class="note">{}.</p>',
        checklist.key,
        checklist.title,
        checklist.note,
        told,
        rows,
        checklist.source,
    )
