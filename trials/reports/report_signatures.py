"""The part of a report that prints its signatures: who, when, with what meaning, on what."""

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from trials.domain.signatures import BEGINS, ENDS, Meaning
from trials.models import Trial
from trials.reports.report_page import paragraphs, section, table
from trials.selectors.signatures import signature_documents


def signatures_place() -> SafeString:
    """Return where signatures are printed; what stands there is not of the report's content."""
    return mark_safe(BEGINS + ENDS)  # noqa: S308 - our own marks


def signatures_section(trial: Trial, sha256: str) -> SafeString:
    """Return the signatures of the trial, and of the reports those on the one with this content."""
    signed = [
        one
        for one in signature_documents(trial)
        if one["meaning"] != Meaning.REPORT_APPROVED or one["record_sha256"] == sha256
    ]
    told = [
        (
            one["name"],
            f"{one['signed_at']:%Y-%m-%d %H:%M:%S} UTC",
            one["words"],
            format_html("{}, SHA-256 {}", one["record"], one["record_sha256"]),
        )
        for one in signed
    ]
    return section(
        "signatures",
        "Signatures",
        table(("Name", "When", "Meaning", "Record"), told)
        if told
        else paragraphs(["Nobody has signed electronically."]),
        paragraphs(
            [
                f"SHA-256 of the content of this report, without this section: {sha256}.",
                "A signature on the report is bound to it.",
            ],
            "note",
        ),
    )
