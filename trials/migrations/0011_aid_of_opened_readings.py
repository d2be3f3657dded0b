"""Readings that were opened before their aid was fixed get the result that stood there at their first opening.

Nothing to undo: the columns go with the migration before.
"""

from typing import Any

from django.db import migrations


def _aided(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return condition -> aid of a protocol."""
    conditions = document.get("allocation", {}).get("design", {}).get("conditions", [])
    return {one["key"]: one["aid"] for one in conditions if one.get("aid")}


def fix_aids(apps: Any, schema_editor: Any) -> None:
    """As ``trials.selectors.aid.result_to_show`` did when this was written, at the time of the first opening."""
    results = apps.get_model("trials", "AlgorithmResult").objects
    readings = apps.get_model("trials", "Reading").objects
    for version in apps.get_model("trials", "ProtocolVersion").objects.iterator(chunk_size=100):
        aids = _aided(version.document)
        opened = readings.filter(
            protocol=version, condition__in=aids, first_opened_at__isnull=False, aid_fixed_at=None
        )
        # All of them before the first is written: a cursor over rows that change is nobody's promise.
        rows = list(
            opened.values_list(
                "id", "task", "condition", "first_opened_at", "item__case", "allocation_row__aid_item__case"
            )
        )
        for reading_id, task, condition, opened_at, own_case, other_case in rows:
            aid = aids[condition]
            shown = (
                results.filter(
                    trial_id=version.trial_id,
                    case_id=(aid.get("sham") == "other_scan" and other_case) or own_case,
                    participant__algorithm_version__source=aid["source"],
                    task=task,
                    repeat=1,
                    received_at__lte=opened_at,
                )
                .order_by("-attempt", "received_at")
                .first()
            )
            readings.filter(id=reading_id).update(aid_result=shown, aid_fixed_at=opened_at)


class Migration(migrations.Migration):
    dependencies = [("trials", "0010_aid_fixed_at_opening")]

    operations = [migrations.RunPython(fix_aids, migrations.RunPython.noop)]
