"""Analyses as the results page shows them: the finding first, then figures, then tables."""

from typing import Any

from equipoise.analysis.plan import ALL_SUBMITTED
from trials.models import Analysis, Trial
from trials.selectors.tables import WHERE

API = "/api/v1/trials"


def analysis_document(analysis: Analysis) -> dict[str, Any]:
    """Return one analysis with the addresses of its files."""
    base = f"{API}/{analysis.trial_id}/analyses/{analysis.id}/files"
    results = analysis.results or {}
    order = results.get("order", {})
    figures = {name: results["figures"][name] for name in order.get("figures", ())}
    tables = {name: results["tables"][name] for name in order.get("tables", ())}
    return {
        "id": analysis.id,
        "name": analysis.name,
        "title": results.get("title", analysis.name),
        "method": results.get("method", ""),
        "exploratory": analysis.exploratory,
        "analysis_set": results.get("analysis_set", ALL_SUBMITTED) if results else None,
        "where": analysis.options.get(WHERE, {}),
        "external_table": analysis.options.get("external"),
        "data_key": analysis.data_key or None,
        "state": analysis.state,
        "job_id": analysis.job_id,
        "message": analysis.message or None,
        "findings": results.get("findings", []),
        "notes": results.get("notes", []),
        "figures": [
            {
                "name": name,
                "title": figure["title"],
                "caption": figure["caption"],
                "svg_url": f"{base}/figures/{name}.svg",
                "png_url": f"{base}/figures/{name}.png",
                "pdf_url": f"{base}/figures/{name}.pdf",
                "csv_url": f"{base}/figures/{name}.csv",
                "points_url": f"{base}/figures/{name}.points.json",
            }
            for name, figure in figures.items()
        ],
        "tables": [
            {
                "name": name,
                "columns": table["columns"],
                "rows": table["rows"],
                "csv_url": f"{base}/tables/{name}.csv",
                "xlsx_url": f"{base}/tables/{name}.xlsx",
                "latex_url": f"{base}/tables/{name}.tex",
            }
            for name, table in tables.items()
        ],
        "numbers": results.get("numbers", []),
        "data_sha256": analysis.data_sha256 or None,
        "results_url": f"{base}/results.json" if analysis.files_key else None,
        "created_at": analysis.created_at,
        "finished_at": analysis.finished_at,
    }


def analyses_listed(trial: Trial) -> list[Analysis]:
    """Return every analysis of the trial: those of the plan first, in the order they were asked for."""
    return list(trial.analyses.order_by("exploratory", "created_at"))
