"""Two real patients through a whole trial: ingest, pairs, lock, readers, unblinding, analysis, the exported table."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.selectors import stored_mask
from equipoise.archive.services import mask_store
from equipoise.imaging.mask import Mask, bounding_box
from equipoise.jobs.inline import job_run_inline
from equipoise.simulation import simulated_observer, stream
from tests.e2e import world as e2e
from tests.e2e.http_reader import HttpReader
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from trials.domain.protocol.document import to_yaml
from trials.domain.states import TrialAction
from trials.models import Analysis, Case, CasePurpose, Contour, Reading, Response
from trials.services.acts import Actor
from trials.services.analysis import analysis_request
from trials.services.ingest import trial_ingest_folder
from trials.services.items import items_draw
from trials.services.trial import trial_create

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.shared,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(240),
]

SEED = 20260218
MARGIN_VOXELS = (4, 24, 24)
ITEMS, REPEATS, CHECKS, PRACTICE = 8, 1, 2, 1


def observed(mask, spacing_mm, *, number):
    """Return what a simulated observer draws of a real tumour; computed in a box around it."""
    box = bounding_box(mask)
    assert box is not None
    window = tuple(
        slice(max(0, start - margin), start + size + margin)
        for start, size, margin in zip(box.start_zyx, box.shape_zyx, MARGIN_VOXELS, strict=True)
    )
    drawn = np.zeros_like(mask)
    drawn[window] = simulated_observer(mask[window], spacing_mm, stream(SEED, number), skill=0.85)
    return drawn


def add_algorithm_contour(case: Case, *, number: int) -> None:
    """Store a second contour of a case under the algorithm's source."""
    expert = case.contours.get(source="expert")
    tumour = stored_mask(expert.mask)
    drawn = observed(tumour.array, tumour.grid.spacing_mm_zyx, number=number)
    stored = mask_store(case.images.get().volume, Mask(drawn, tumour.grid), source="algorithm")
    Contour.objects.create(
        case=case,
        source="algorithm",
        mask=stored,
        voxel_count=stored.voxel_count,
        created_at=timezone.now(),
    )


def world_of_real_patients(folder: Path) -> factory.PreferenceWorld:
    """Bring both patients in, and draw slices where both contours are."""
    administrator = AccountFactory.create()
    text = to_yaml(
        factory.protocol_document(
            **{
                "items.selection.count": ITEMS,
                "items.selection.max_per_case_and_expert": ITEMS,
                "items.selection.min_distance_mm": 3,
                "allocation.min_case_distance": 1,
                "allocation.strata": [{"key": "all", "label": "All", "participants": 3}],
                "allocation.hidden_repeats": {"count": REPEATS, "min_distance": 3},
                "allocation.blinding_check.pairs": CHECKS,
            }
        )
    )
    assert administrator.institute is not None
    trial = trial_create(
        slug="real-patients",
        title="Two real patients",
        protocol_text=text,
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )
    world = factory.PreferenceWorld(trial=trial, administrator=administrator, statistician=administrator)
    report = trial_ingest_folder(
        trial,
        folder,
        rules=[RoiRule(source="expert", pattern="GTV-1")],
        purpose=CasePurpose.TRIAL,
        actor=world.actor,
    )
    assert report.problems == ()
    assert [(case.code, case.is_new, case.contours) for case in report.cases] == [
        ("C-001", True, ("expert",)),
        ("C-002", True, ("expert",)),
    ]
    for number, case in enumerate(trial.cases.order_by("code")):
        add_algorithm_contour(case, number=number)
    factory.phantom_case(trial, number=1, purpose=CasePurpose.PRACTICE)
    items_draw(trial, actor=world.actor)
    return world


def prefers_the_algorithm(reading: Reading) -> str:
    """Return the side on which the algorithm's contour stands."""
    assert reading.left is not None
    return "left" if reading.left.source == "algorithm" else "right"


def test_two_real_patients_become_a_table(patients_folder, site, visit):
    world = world_of_real_patients(patients_folder)
    assert {case.images.get().volume.frame_count for case in Case.objects.filter(purpose="trial")} == {
        134,
        111,
    }
    items = world.trial.items.filter(practice=False)
    assert items.count() == ITEMS
    assert {item.case.code for item in items} == {"C-001", "C-002"}
    assert all(0.7 < item.dice < 1 for item in items)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)

    simulated = [world.enrol(speciality="radiology"), world.enrol(speciality="radiation_oncology")]
    per_reader = PRACTICE + ITEMS + REPEATS + CHECKS
    choosers = (prefers_the_algorithm, lambda reading: "left")
    for participant, choose in zip(simulated, choosers, strict=True):
        with HttpReader(site.url, participant) as reader:
            assert reader.read_everything(choose=choose) == per_reader

    person = world.enrol(speciality="radiology")
    browser = visit()
    browser.sign_in(e2e.email_of(person))
    page = browser.page(e2e.reading_path(world))
    e2e.read_cases(page, PRACTICE, phase="practice")
    e2e.read_cases(page, ITEMS + REPEATS, key=lambda n: "ArrowRight")
    e2e.read_cases(page, CHECKS, phase="blinding-check", key=lambda n: "ArrowDown")
    page.get_by_role("heading", name="Last questions").wait_for()
    e2e.press_on(page, page.get_by_role("button", name="Continue"))
    page.get_by_role("heading", name="You have finished").wait_for()
    assert Response.objects.count() == 3 * per_reader

    world.act(TrialAction.CLOSE)
    world.act(TrialAction.DATA_LOCK)
    world.act(TrialAction.UNBLIND)
    analysis = analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )
    assert job_run_inline(analysis.job_id).state == "succeeded"
    analysis = Analysis.objects.get(id=analysis.id)
    assert analysis.results["findings"]

    administrator = Client()
    assert administrator.login(username=world.administrator.email, password=PASSWORD)
    answer = administrator.get(f"/api/v1/trials/{world.trial.id}/export/readings.csv")
    assert answer.status_code == 200
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert_table(rows, world)


def assert_table(rows, world):
    """Check the exported rows against what the readers did."""
    assert len(rows) == 3 * (ITEMS + REPEATS + CHECKS)
    preference = [row for row in rows if row["task"] == "preference"]
    assert len(preference) == 3 * (ITEMS + REPEATS)
    assert {row["participant"] for row in rows} == {"R-01", "R-02", "R-03"}
    assert {row["state"] for row in rows} == {"submitted"}
    assert {row["case"] for row in rows} == {"C-001", "C-002"}
    by_reader = {
        code: [row for row in preference if row["participant"] == code] for code in ("R-01", "R-02", "R-03")
    }
    assert {row["preferred"] for row in by_reader["R-01"]} == {"algorithm"}
    assert {row["choice_side"] for row in by_reader["R-02"]} == {"left"}
    assert {row["choice_side"] for row in by_reader["R-03"]} == {"right"}
    assert [row["group"] for row in (by_reader[code][0] for code in by_reader)] == [
        "Radiology",
        "Radiation oncology",
        "Radiology",
    ]
    for row in preference:
        assert {row["left_source"], row["right_source"]} == {"expert", "algorithm"}
        assert row["preferred"] == row[f"{row['choice_side']}_source"]
        assert 0 < float(row["decision_s"]) <= float(row["wall_s"])
    for code, shown in by_reader.items():
        first = [row for row in shown if row["repeat"] == "1"]
        left = sum(row["left_source"] == "algorithm" for row in first)
        assert (len(first), abs(2 * left - ITEMS) <= 1) == (ITEMS, True), code
        (again,) = (row for row in shown if row["repeat"] == "2")
        before = next(row for row in first if row["item"] == again["item"])
        assert (again["left_source"], again["right_source"]) == (
            before["right_source"],
            before["left_source"],
        )
