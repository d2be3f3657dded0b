"""A whole production site: owner and application role, two web processes, frames, workers by queue, nginx before it."""

import shutil
import uuid
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from equipoise.audit.selectors import chain_verify
from equipoise.config.settings import base
from tests.e2e.http_reader import HttpReader
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from tests.jobs.real_worker import database_url
from tests.jobs.test_real_worker import RABBITMQ, REDIS, answers
from tests.production.site import ProductionSite
from trials.domain.states import TrialAction
from trials.models import Analysis, Response
from trials.rehearsal.phantoms import write_phantom_patient

RULES = [
    {"source": "expert", "pattern": "GTV-1"},
    {"source": "algorithm", "pattern": "*_algorithm.nrrd", "applies_to": "file"},
]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.production,
    pytest.mark.usefixtures("flushing_db"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def application_role():
    """The address of the test's database for a role that owns nothing in it."""
    if connection.vendor != "postgresql":
        pytest.skip("A production site needs PostgreSQL: set EQUIPOISE_DATABASE_URL.")
    role, password = f"equipoise_app_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    url = urlsplit(database_url())
    with psycopg.connect(database_url(), autocommit=True) as database:
        database.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        database.execute(f"GRANT {role} TO CURRENT_USER")
        try:
            yield role, f"postgresql://{role}:{password}@{url.hostname}:{url.port}{url.path}"
        finally:
            database.execute(f"DROP OWNED BY {role}")
            database.execute(f"DROP ROLE {role}")


@pytest.fixture(params=[pytest.param(REDIS, id="redis"), pytest.param(RABBITMQ, id="rabbitmq")])
def site(request, application_role, tmp_path, settings):
    # Set by the fixture: Django keeps the hashers that it used first, until it is told that the setting changed.
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    if not answers(request.param):
        pytest.skip(f"No broker answers at {urlsplit(request.param).netloc}.")
    role, url = application_role
    made = ProductionSite(
        database=url,
        owner=database_url(),
        broker=request.param,
        folder=tmp_path,
        data=settings.DATA_DIR,
        key=settings.SECRET_KEY,
    )
    made.command("admin", "grant", role, as_owner=True)
    with made:
        yield made


def sign_in(client, email):
    client.headers["X-CSRFToken"] = client.get("/api/v1/session").json()["csrf_token"]
    answer = client.post("/api/v1/session", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRFToken"] = answer.json()["csrf_token"]


def test_a_trial_goes_from_a_scan_to_a_figure(site, tmp_path):
    preparing = factory.preference_world(slug="preparing", cases=1, practice=0)
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    reader = world.enrol()

    with site.browser() as admin:
        sign_in(admin, preparing.administrator.email)
        folder = tmp_path / "patient"
        write_phantom_patient(folder, number=3, seed=5)
        uploads = f"/api/v1/trials/{preparing.trial.id}/uploads"
        upload = admin.post(uploads).json()["id"]
        scans = sorted(path for path in folder.rglob("*") if path.is_file())
        answer = admin.post(
            f"{uploads}/{upload}/files",
            files=[("file", (path.name, path.read_bytes())) for path in scans],
            data={"path": [path.name for path in scans]},
        )
        assert answer.status_code in (200, 201), answer.text
        job = admin.post(f"{uploads}/{upload}/ingest", json={"rules": RULES})
        assert job.status_code in (200, 201, 202), job.text
        site.wait(lambda: preparing.trial.cases.count() == 2, "the ingest")
        assert admin.get("/metrics").status_code == 404
        assert admin.get("/readyz").status_code == 404
        assert admin.get("/healthz").json() == {"status": "ok"}

    http = HttpReader(site.url, reader)
    http._client.close()
    http._client = site.browser()
    http._client.base_url = f"{site.url}/api/v1"
    with http:
        shown = http._post(f"{http._path}/open", {"environment": factory.ENVIRONMENT})
        image = shown["images"][0]
        frame = http._client.get(f"{site.url}{image['frames']}{image['start_frame']}")
        assert (frame.status_code, len(frame.content)) == (200, 2 * 48 * 48)
        assert http.read_everything(choose=lambda reading: "left") == reader.readings.count()
    assert Response.objects.count() == reader.readings.count()
    assert 'status="200"' in site.log("frames").read_text() or shutil.which("nginx")

    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    with site.browser() as admin:
        sign_in(admin, world.statistician.email)
        answer = admin.post(
            f"/api/v1/trials/{world.trial.id}/analyses",
            json={"name": "preference", "options": {}},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )
        assert answer.status_code in (200, 201, 202), answer.text
        site.wait(lambda: Analysis.objects.filter(state__in=["succeeded", "failed"]).exists(), "the analysis")
    assert "trials.ingest" not in site.log("analysis").read_text()

    with site.browser() as monitoring:
        told = monitoring.get(
            f"http://127.0.0.1:{site.web}/metrics",
            headers={"Authorization": f"Bearer {site.token}", "Host": urlsplit(site.url).netloc},
        )
    assert told.status_code == 200
    assert 'route="api/v1/reader/<slug:trial>/current/submit",status="200"' in told.text
    assert chain_verify(str(world.trial.id)).is_intact
    assert "intact" in site.command("audit", "verify")
    application = psycopg.connect(site.folder.joinpath("database_url").read_text().strip())
    with application as database, pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute("TRUNCATE audit_auditentry")
