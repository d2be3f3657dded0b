"""The report of an unblinded trial: one page of HTML that needs nothing else, from the database and the results."""

import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from equipoise.common.errors import NotFoundError
from trials.domain.bundle import REPORT
from trials.domain.signatures import report_sha256, report_with
from trials.models import Trial
from trials.reports.report_checklists import checklists_section
from trials.reports.report_design import design_section
from trials.reports.report_flow import balance_section, deviations_section, flow_section
from trials.reports.report_page import facts_list, joined, page, paragraphs
from trials.reports.report_results import apparent_note, methods_section, results_section
from trials.reports.report_signatures import signatures_place, signatures_section
from trials.reports.results import Reported, results_into
from trials.selectors.bundle import bundle_file_blocks, bundle_has, imported_bundle
from trials.selectors.report import ReportFacts, report_facts
from trials.services.analysis import FrozenReadings
from trials.services.bundle import require_unblinded

INTERNAL = (
    "Internal to the trial: it holds small groups and readers' codes; not for publication as it stands."
)
ROLE_ORDER = ("primary", "secondary", "exploratory")


def report_html(trial: Trial) -> str:
    """Return the report, computing what the plan names and was not computed yet; of an imported trial the bundle's own.

    Raises
    ------
    StateConflictError
        Before unblinding: a report holds results by arm.
    """
    require_unblinded(trial)
    imported = imported_bundle(trial)
    if imported is not None:
        if not bundle_has(imported, REPORT):
            raise NotFoundError("The bundle that this trial was imported from holds no report.")
        return b"".join(bundle_file_blocks(imported, REPORT)).decode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        return report_of(trial, results_into(trial, FrozenReadings(trial), Path(folder) / "results"))


def report_of(trial: Trial, reported: Reported) -> str:
    """Return the report with results that were computed already."""
    require_unblinded(trial)
    facts = report_facts(trial)
    results = sorted(reported.entries, key=lambda one: ROLE_ORDER.index(one.told["role"]))
    told = [one.told for one in results]
    body = [
        _head(facts, told),
        signatures_place(),
        design_section(facts),
        flow_section(facts),
        balance_section(facts),
        deviations_section(facts),
        results_section(facts, results, reported.not_computed),
        methods_section(results),
        checklists_section(facts, told),
    ]
    return report_signed(trial, page(trial.title, joined(body)))


def report_signed(trial: Trial, content: str) -> str:
    """Return a report of this trial with the signatures printed in it that there are now."""
    return report_with(content, signatures_section(trial, report_sha256(content)))


def _head(facts: ReportFacts, told: Sequence[Mapping[str, Any]]) -> SafeString:
    trial = facts.trial
    dates = (
        ("Opened", trial.opened_at),
        ("Closed", trial.closed_at),
        ("Data lock", trial.data_locked_at),
        ("Unblinded", trial.unblinded_at),
    )
    primary = [one for one in told if one["role"] == "primary"]
    found = [sentence for one in primary for sentence in one["findings"][:1]]
    return format_html(
        "<header><h1>{}</h1>{}{}{}{}</header><nav><ol>{}</ol></nav>",
        trial.title,
        paragraphs(
            found or ["No primary finding: the plan's primary analysis could not be computed."], "finding"
        ),
        paragraphs([f"Report of a reader study. Nobody was randomised to care. {apparent_note(facts)}"]),
        paragraphs([INTERNAL], "note"),
        facts_list(
            [
                ("Trial", trial.slug),
                *((name, at.date().isoformat()) for name, at in dates if at is not None),
                ("Protocol", f"version {facts.protocol_version}, SHA-256 {facts.protocol_sha256}"),
                ("Data at data lock", f"SHA-256 {trial.data_sha256}"),
                ("Made with", f"Equipoise {metadata.version('equipoise')}"),
            ]
        ),
        format_html_join(
            "",
            '<li><a href="#{}">{}</a></li>',
            (
                ("signatures", "Signatures"),
                ("design", "Design"),
                ("flow", "Flow of cases, readers and readings"),
                ("balance", "Balance"),
                ("deviations", "Deviations and readings without an answer"),
                ("results", "Results"),
                ("methods", "Methods"),
                ("checklists", "Reporting checklists"),
            ),
        ),
    )
