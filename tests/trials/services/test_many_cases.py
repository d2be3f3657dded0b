"""More cases than SQLite takes comparisons in one expression."""

import pytest

from equipoise.archive.models import StoredVolume
from equipoise.common.ids import new_id
from tests.factories.bone_scans import bone_scan_world
from trials.models import Case, CaseImage
from trials.selectors.cases import cases_document
from trials.selectors.quality import quality_document
from trials.services.items import items_are_as_drawn, items_draw

pytestmark = [pytest.mark.django_db, pytest.mark.db]

MANY = 1001


def multiplied(trial):
    """Give the trial as many cases as that, each a copy of its first with a volume of its own."""
    first = trial.cases.order_by("code").first()
    volume = first.images.get().volume
    volumes, cases, images = [], [], []
    for number in range(MANY - trial.cases.count()):
        volumes.append(
            _copy(volume, series_uid=f"1.2.{number}", pixel_hash=f"{number:064x}", key=f"copy-{number}")
        )
        cases.append(_copy(first, code=f"M-{number:05d}", patient_key=f"m{number:063x}"))
        images.append(CaseImage(case=cases[-1], volume=volumes[-1]))
    for model, rows in ((StoredVolume, volumes), (Case, cases), (CaseImage, images)):
        model.objects.bulk_create(rows, batch_size=500)


def _copy(row, **changes):
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**{**values, "id": new_id(), **changes})


def test_a_trial_of_more_than_a_thousand_cases_is_listed_checked_and_drawn():
    world = bone_scan_world(cases=2, practice=0)
    multiplied(world.trial)
    assert len(cases_document(world.trial, sources=True)) == MANY
    assert len(quality_document(world.trial)["cases"]) == MANY
    assert items_draw(world.trial, actor=world.actor).requested == MANY
    assert items_are_as_drawn(world.trial)
