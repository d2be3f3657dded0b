"""The client against the whole site: what it sends is stored, what it asks for comes, a bad network costs nothing."""

import csv
from textwrap import dedent

import httpx
import numpy as np
import pytest
import SimpleITK
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from equipoise.client import (
    ApiError,
    Client,
    Failure,
    MaskFile,
    Model,
    Polygons,
    Result,
    RunTime,
)
from equipoise.common.permissions import Role
from equipoise.jobs.services import job_cancel, job_create
from tests.conftest import REPOSITORY
from tests.factories import trials as factory
from tests.factories.accounts import create_token
from tests.factories.trials import phantom_case
from tests.faults.real_server import RealServer
from trials.models import AlgorithmResult, Contour

MODEL = Model("Segmenter", "2.1", "ab" * 32)
SITE = "http://localhost"
NAMED = {"algorithms.0.name": MODEL.name, "algorithms.0.version": MODEL.version}


@pytest.fixture
def site(db):
    """Serve the site in this process: it must not close the connection that holds the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield httpx.WSGITransport(app=get_wsgi_application())
    for signal in signals:
        signal.connect(close_old_connections)


class Flaky(httpx.BaseTransport):
    """Loses every other answer after the site has acted on the request, as a bad network does."""

    def __init__(self, inner):
        self.inner = inner
        self.count = 0

    def handle_request(self, request):
        response = self.inner.handle_request(request)
        response.read()
        self.count += 1
        if self.count % 2:
            raise httpx.ReadTimeout("the answer was lost")
        return response


def connected(secret, transport):
    return Client(SITE, secret, transport=transport, sleep=lambda _: None)


def world_without_candidates(cases=3):
    world = factory.preference_world(cases=0, practice=0, **NAMED)
    for number in range(cases):
        phantom_case(world.trial, number=number)
    Contour.objects.filter(source="algorithm").delete()
    return world


def mask_file(case, path):
    grid = case.images.get().volume.grid
    array = np.zeros(grid.shape_zyx, dtype=np.uint8)
    array[4:8, 20:27, 18:26] = 1
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_mm_xyz)
    image.SetOrigin(grid.origin_mm_xyz)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.db
def test_pipeline_sends_its_results_and_a_lost_answer_doubles_nothing(site, tmp_path):
    world = world_without_candidates()
    trial_id = str(world.trial.id)
    _, secret = create_token(trial_id=world.trial.id, role=Role.DATA_MANAGER.value)
    with connected(secret, Flaky(site)) as client:
        session = client.session()
        assert (session.trial.id, session.trial.slug, session.role) == (trial_id, "contours", "data_manager")
        cases = client.cases(trial_id)
        assert [(one.code, one.slices, one.spacing_mm_zyx) for one in cases] == [
            ("C-001", 12, (3.0, 1.0, 1.0)),
            ("C-002", 12, (3.0, 1.0, 1.0)),
            ("C-003", 12, (3.0, 1.0, 1.0)),
        ]
        first = world.trial.cases.get(code="C-001")
        square = Polygons([[(17.5, 19.5, 12), (25.5, 19.5, 12), (25.5, 26.5, 12), (17.5, 26.5, 12)]])
        results = [
            Result("C-001", MODEL, contour=MaskFile(mask_file(first, tmp_path / "m.nrrd")), run=RunTime(4.5)),
            Result("C-002", MODEL, contour=square),
            Result("C-003", MODEL, failure=Failure("out_of_memory")),
            Result("C-004", MODEL, contour=square),
            Result("C-002", MODEL, task="classification", probability=float("nan")),
        ]
        told = []
        report = client.send_results(
            trial_id, results, chunk_items=2, progress=lambda *step: told.append(step)
        )
        assert told == [(2, 5), (4, 5), (5, 5)]
        # The first answer to each request was lost, so the second found what the first had stored.
        assert [(one.outcome, one.code) for one in report.items] == [
            ("unchanged", None),
            ("unchanged", None),
            ("unchanged", None),
            ("refused", "result_unknown_case"),
            ("refused", "result_not_a_number"),
        ]
        listed = list(client.results(trial_id))
    assert AlgorithmResult.objects.count() == 3
    assert [(row["case"], row["volume_ml"]) for row in listed] == [
        ("C-001", 0.672),
        ("C-002", 0.168),
        ("C-003", None),
    ]


@pytest.mark.db
def test_ended_token_and_foreign_trial_are_refused_in_words(site):
    world = world_without_candidates(cases=1)
    _, secret = create_token()
    with connected(secret, site) as client, pytest.raises(ApiError) as caught:
        client.send_results(str(world.trial.id), [Result("C-001", MODEL, failure=Failure("crashed"))])
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    with connected("eqp_unknown", site) as client, pytest.raises(ApiError) as caught:
        client.session()
    assert (caught.value.status, caught.value.code) == (401, "not_signed_in")


@pytest.mark.db
def test_job_is_watched_to_its_end_and_readings_come_as_a_table(site, tmp_path):
    world = factory.open_world()
    count = factory.read_everything(world.enrol())
    job = job_create(
        kind="trials.ingest", trial_id=world.trial.id, created_by_id=None, items=[("a", {})], unit="file"
    )
    _, secret = create_token(trial_id=world.trial.id, role=Role.DATA_MANAGER.value)
    with connected(secret, site) as client:
        assert client.job(str(job.id)).state == "queued"
        job_cancel(job.id)
        finished = client.wait_for_job(str(job.id))
        assert (finished.state, finished.total) == ("cancelled", 1)
        path = client.export_readings(str(world.trial.id), tmp_path / "readings.csv")
    with path.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    practice = 1
    assert len(rows) == count - practice
    assert {row["participant"] for row in rows} == {"R-01"}
    assert {row["left_source"] for row in rows} == {""}


@pytest.mark.db
def test_client_reaches_a_real_server(flushing_db, tmp_path):
    world = world_without_candidates(cases=1)
    _, secret = create_token(trial_id=world.trial.id)
    server = RealServer(log=tmp_path / "server.log")
    try:
        server.wait()
        case = world.trial.cases.get()
        contour = MaskFile(mask_file(case, tmp_path / "m.nii.gz"))
        with Client(server.url, secret) as client:
            result = Result("C-001", MODEL, contour=contour, key="once")
            assert client.send_results(client.session().trial.id, [result]).stored == 1
            again = client.send_results(str(world.trial.id), [result])
    finally:
        server.kill()
    assert (again.stored, again.unchanged) == (0, 1)
    assert case.contours.get(source="algorithm").voxel_count == 224


@pytest.mark.db
def test_example_of_the_documentation_runs_as_it_stands(site, tmp_path, monkeypatch, capsys):
    world = world_without_candidates(cases=2)
    _, token = create_token(trial_id=world.trial.id)
    mask_file(world.trial.cases.get(code="C-001"), tmp_path / "c001.nrrd")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("equipoise.client.Client", lambda url, secret: connected(secret, site))
    chapter = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8").split("## From a program")[1]
    lines = [line for line in chapter.split("\n## ")[0].splitlines() if line.startswith("    ") or not line]
    example = dedent("\n".join(lines)).replace(
        'weights_sha256="..."', f'weights_sha256="{MODEL.weights_sha256}"'
    )
    exec(compile(example, "docs/api.md", "exec"), {"token": token})
    assert capsys.readouterr().out == "2 of 2\n"
    stored = AlgorithmResult.objects.order_by("case__code").values_list("case__code", "run_s", "failure_code")
    assert list(stored) == [("C-001", 12.5, ""), ("C-002", None, "out_of_memory")]
