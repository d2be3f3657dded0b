"""Studies are fetched from an archive into cases; identifiers and addresses go nowhere they do not belong."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from django.test import Client
from typer.testing import CliRunner

from equipoise.archive.dicomweb import pacs as archive
from equipoise.archive.dicomweb.pacs import (
    Pacs,
    PacsConnection,
    PacsRefusedError,
    PacsUnreachableError,
    PullBy,
    pacs_named,
)
from equipoise.archive.models import IngestFileReport, IngestRun, StoredVolume
from equipoise.archive.selectors import ingest_log
from equipoise.archive.storage import incoming_folder
from equipoise.cli.ingest import app as ingest_app
from equipoise.cli.problems import BadInputError
from equipoise.common.errors import NotFoundError, TooLargeError
from equipoise.common.permissions import Role
from equipoise.imaging.volume import pixel_hash, turn_for_display
from equipoise.jobs.inline import job_run_inline, jobs_run_inline
from equipoise.jobs.models import Job, JobItem, JobState
from equipoise.jobs.services import job_cancel
from tests.archive.conftest import make_volume
from tests.trials.dicomweb_world import RULES, changed, empty_world, patient_files, token_client
from trials.models import Case
from trials.services.pull import pulls_sweep

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def world(own_store):
    return empty_world()


def stored_patient(orthanc, folder: Path, code: str, seed: int = 1, accession: str = "") -> pydicom.Dataset:
    """Put a patient into Orthanc and return a header of theirs."""
    files = patient_files(folder / code, code, seed)
    for content in files:
        orthanc.store(changed(content, AccessionNumber=accession) if accession else content)
    return pydicom.dcmread(BytesIO(files[0]))


def pull(client: Client, trial, by: str, values: list[str], **more):
    """Ask for studies."""
    body = {"pacs": "hospital", "by": by, "values": values, "rules": RULES, **more}
    return client.post(f"/api/v1/trials/{trial.id}/pulls", body, content_type="application/json")


def items_of(answer) -> list[JobItem]:
    """Do the job and return its items in order."""
    assert answer.status_code == 202, answer.content
    job_run_inline(answer.json()["job_id"])
    return list(JobItem.objects.filter(job_id=answer.json()["job_id"]).order_by("position"))


def left_over() -> list[str]:
    return [path.name for path in incoming_folder().rglob("*") if path.is_file()]


def test_studies_named_in_three_ways_become_cases(world, orthanc, tmp_path):
    first = stored_patient(orthanc, tmp_path, "Q-1", 1)
    stored_patient(orthanc, tmp_path, "Q-2", 2)
    stored_patient(orthanc, tmp_path, "Q-3", 3, accession="A77")
    client = token_client(world.trial)
    assert client.get(f"/api/v1/trials/{world.trial.id}/pacs").json() == {"results": [{"name": "hospital"}]}
    for by, value in (
        ("StudyInstanceUID", str(first.StudyInstanceUID)),
        ("PatientID", "Q-2"),
        ("AccessionNumber", "A77"),
    ):
        [item] = items_of(pull(client, world.trial, by, [value]))
        assert (item.state, item.error_detail) == ("succeeded", ""), by
        assert [case["contours"] for case in item.result["cases"]] == [["expert"]]
    assert [case.code for case in world.trial.cases.all()] == ["C-001", "C-002", "C-003"]
    hashes = {volume.pixel_hash for volume in StoredVolume.objects.all()}
    assert hashes == {pixel_hash(turn_for_display(make_volume(seed))[0]) for seed in (1, 2, 3)}
    assert left_over() == []


def test_list_has_a_report_for_each_study_and_one_that_is_absent_stops_none(world, orthanc, tmp_path):
    stored_patient(orthanc, tmp_path, "Q-1", 1)
    stored_patient(orthanc, tmp_path, "Q-3", 3)
    items = items_of(pull(token_client(world.trial), world.trial, "PatientID", ["Q-1", "Q-2", "Q-3"]))
    assert [(item.key, item.state, item.error_code) for item in items] == [
        ("1", "succeeded", ""),
        ("2", "failed", "not_found"),
        ("3", "succeeded", ""),
    ]
    assert Job.objects.get().state == JobState.PARTIAL
    assert world.trial.cases.count() == 2
    assert left_over() == []


def test_only_wanted_modalities_are_fetched(world, orthanc, tmp_path):
    stored_patient(orthanc, tmp_path, "Q-1", 1)
    [item] = items_of(pull(token_client(world.trial), world.trial, "PatientID", ["Q-1"], modalities=["CT"]))
    assert [case["contours"] for case in item.result["cases"]] == [[]]
    [item] = items_of(pull(token_client(world.trial), world.trial, "PatientID", ["Q-1"], modalities=["MR"]))
    assert (item.state, item.error_code) == ("failed", "not_found")


def test_study_that_the_ingest_refuses_is_a_failed_item_with_the_reason(world, orthanc, tmp_path):
    for content in [one for number, one in enumerate(patient_files(tmp_path, "Q-1")) if number != 2]:
        orthanc.store(content)
    [item] = items_of(pull(token_client(world.trial), world.trial, "PatientID", ["Q-1"]))
    assert (item.state, item.error_code) == ("failed", "ingest_missing_slices")
    assert not world.trial.cases.exists()
    assert left_over() == []


def test_identifiers_stand_in_no_row_log_or_answer(world, orthanc, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    header = stored_patient(orthanc, tmp_path, "Zwielicht-77", 1)
    client = token_client(world.trial)
    answer = pull(client, world.trial, "PatientID", ["Zwielicht-77", "Zwielicht-78"])
    job_id = answer.json()["job_id"]
    rows = str(list(JobItem.objects.values())) + str(list(Job.objects.values()))
    waiting = [path for path in incoming_folder().rglob("*") if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in waiting] == [0o600, 0o600]
    items_of(answer)
    told = answer.content.decode() + client.get(f"/api/v1/jobs/{job_id}").content.decode()
    told += client.get(f"/api/v1/jobs/{job_id}/items").content.decode()
    for model in (Job, JobItem, Case, StoredVolume, IngestFileReport, IngestRun):
        rows += str(list(model.objects.values()))
    told += caplog.text + rows + "".join(ingest_log(run) for run in IngestRun.objects.all())
    assert world.trial.cases.count() == 1
    assert "zwielicht" not in told.casefold()
    assert str(header.StudyInstanceUID) not in told
    assert left_over() == []


def test_list_that_is_wrong_is_refused_whole_and_not_repeated(world, orthanc):
    client = token_client(world.trial)
    for by, values, words in (
        ("PatientID", ["ok", "Q*"], "Number 2 holds *"),
        ("PatientID", ["a" * 65], "Number 1 is not a PatientID"),
        ("StudyInstanceUID", ["1.2.3", "../../etc"], "Number 2 is not a UID"),
        ("StudyInstanceUID", ["1.2.3", "1.2.3"], "Number 2 stands on the list twice"),
    ):
        answer = pull(client, world.trial, by, values)
        assert answer.status_code == 422, answer.content
        assert words in answer.json()["detail"]
        assert not any(
            value in answer.content.decode() for value in values if len(value) > 3 and value != "1.2.3"
        )
    assert pull(client, world.trial, "PatientName", ["x"]).status_code == 400
    assert pull(client, world.trial, "PatientID", []).status_code == 400
    absent = pull(client, world.trial, "PatientID", ["x"], pacs="http://169.254.169.254/")
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")
    assert (Job.objects.count(), left_over()) == (0, [])


def test_only_those_who_may_ingest_may_fetch(world, orthanc):
    assert pull(Client(), world.trial, "PatientID", ["x"]).status_code == 401
    assert pull(token_client(world.trial, Role.ALGORITHM), world.trial, "PatientID", ["x"]).status_code == 404
    other = empty_world("other")
    assert pull(token_client(other.trial), world.trial, "PatientID", ["x"]).status_code == 404
    assert not Job.objects.exists()


def test_cancelled_job_leaves_its_identifiers_to_the_sweeper(world, orthanc):
    answer = pull(token_client(world.trial), world.trial, "PatientID", ["x", "y"])
    assert pulls_sweep() == 0
    job_cancel(answer.json()["job_id"])
    assert pulls_sweep() == 0  # too young: it may be a list whose job is just being made
    [folder] = incoming_folder().glob("pull-*")
    os.utime(folder, (0, 0))
    assert pulls_sweep() == 1
    assert left_over() == []
    jobs_run_inline()
    assert not world.trial.cases.exists()


# --- archives that do not behave ------------------------------------------------------------------------------------


@contextmanager
def stand_in(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[tuple[Pacs, list[str]]]:
    """Serve fixed answers by the start of the path, as an archive that misbehaves; the paths asked are listed."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = next(
                (value for start, value in answers.items() if self.path.startswith(start)), (404, {}, b"")
            )
            self.send_response(status)
            for name, text in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Pacs("stand-in", f"http://127.0.0.1:{server.server_port}/dicom-web"), asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def study_rows(**values: str) -> bytes:
    return json.dumps([{tag: {"vr": "UI", "Value": [value]} for tag, value in values.items()}]).encode()


def test_redirect_is_not_followed_wherever_it_leads():
    with (
        stand_in({"/": (200, {}, b"[]")}) as (inner, asked_inside),
        stand_in({"/dicom-web": (302, {"Location": f"{inner.url}/studies"}, b"")}) as (outer, _),
        PacsConnection(outer) as connection,
    ):
        with pytest.raises(PacsRefusedError, match="sends its callers to another address"):
            connection.studies(PullBy.PATIENT, "Q-1")
        assert asked_inside == []


def test_connection_reaches_nothing_but_the_named_address():
    session = archive._Session(Pacs("p", "https://pacs.example.org/dicom-web", "user", "secret"))
    for address in (
        "https://pacs.example.org/other",
        "https://pacs.example.org.evil.example/dicom-web/",
        "http://pacs.example.org/dicom-web/studies",
        "file:///etc/passwd",
        "http://169.254.169.254/latest",
    ):
        with pytest.raises(archive.requests.exceptions.InvalidSchema):
            session.get(address)


def test_archive_that_finds_too_much_gives_only_what_was_asked(tmp_path):
    rows = json.dumps(
        [
            {"00100020": {"vr": "LO", "Value": ["Q-1"]}, "0020000D": {"vr": "UI", "Value": ["1.2.3"]}},
            {"00100020": {"vr": "LO", "Value": ["Q-10"]}, "0020000D": {"vr": "UI", "Value": ["1.2.4"]}},
            {"00100020": {"vr": "LO", "Value": ["Q-1"]}, "0020000D": {"vr": "UI", "Value": ["../../x"]}},
            {"0020000D": {"vr": "UI", "Value": ["1.2.5"]}},
        ]
    ).encode()
    found = (200, {"Content-Type": "application/dicom+json"}, rows)
    with stand_in({"/dicom-web/studies": found}) as (pacs, _), PacsConnection(pacs) as connection:
        assert connection.studies(PullBy.PATIENT, "Q-1") == ["1.2.3"]


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((401, {}, b""), PacsRefusedError, "refuses the site's credentials"),
        ((400, {}, b""), PacsRefusedError, r"refuses the request \(400\)"),
        ((503, {}, b""), PacsUnreachableError, r"answers with an error \(503\)"),
        ((200, {}, b"no JSON Q-1"), PacsRefusedError, "cannot be read"),
        ((200, {}, b'"text"'), PacsRefusedError, "cannot be read"),
        ((200, {"Content-Length": "99999"}, b"[]"), PacsUnreachableError, "cannot be reached, or broke off"),
    ],
)
def test_archive_that_misbehaves_is_told_in_our_words(answer, error, words, caplog):
    caplog.set_level(logging.DEBUG)
    with (
        stand_in({"/": answer}) as (pacs, _),
        PacsConnection(pacs) as connection,
        pytest.raises(error, match=words) as caught,
    ):
        connection.studies(PullBy.PATIENT, "Q-1")
    assert "Q-1" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert "Q-1" not in caplog.text


def test_archive_that_is_not_there_is_tried_again_and_then_told(world, settings):
    settings.PACS = {"hospital": "http://127.0.0.1:9/dicom-web"}
    answer = pull(token_client(world.trial), world.trial, "PatientID", ["Q-1"])
    job_id = answer.json()["job_id"]
    for _ in range(5):
        JobItem.objects.update(lease_until=None, state="queued")
        job_run_inline(job_id)
    item = JobItem.objects.get()
    assert (item.state, item.attempts, item.error_code) == ("failed", 5, "pacs_unreachable")
    assert left_over() == []


PARTS = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}


@pytest.mark.parametrize(
    ("headers", "body", "error"),
    [
        ({"Content-Type": "application/dicom"}, b"x", PacsRefusedError),
        (
            PARTS,
            b"nonsense",
            PacsRefusedError,
        ),
        (
            PARTS,
            b"--b\r\n\r\nhalf",
            PacsRefusedError,
        ),
        (
            PARTS,
            b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--",
            TooLargeError,
        ),
    ],
)
def test_answer_that_is_no_study_is_refused(tmp_path, headers, body, error):
    with stand_in({"/": (200, headers, body)}) as (pacs, _), PacsConnection(pacs) as connection:
        series = archive.FoundSeries("1.2.3", "1.2.4", "CT", 1)
        with pytest.raises(error):
            list(connection.fetch(series, tmp_path, max_instances=1))


def test_series_that_comes_short_is_no_series(tmp_path):
    answer = (200, PARTS, b"--b\r\n\r\none\r\n--b--")
    with stand_in({"/": answer}) as (pacs, _), PacsConnection(pacs) as connection:
        assert len(list(connection.fetch(archive.FoundSeries("1.2.3", "1.2.4", "CT", 1), tmp_path))) == 1
        with pytest.raises(PacsUnreachableError, match="gave 1 of a series' 2 instances"):
            list(connection.fetch(archive.FoundSeries("1.2.3", "1.2.4", "CT", 2), tmp_path))


def test_unknown_archive_is_told_with_those_there_are(settings):
    settings.PACS = {"hospital": "https://pacs.example.org/dicom-web"}
    with pytest.raises(NotFoundError, match=r"The site names no archive 'other'; it names: hospital\."):
        pacs_named("other")


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch, world):
    """Run `equipoise ingest` on the test's database, which needs no migration."""
    monkeypatch.setattr("equipoise.config.start.database_prepare", lambda: None)

    def run(*arguments: object):
        account = ("--as", world.administrator.email)
        return CliRunner().invoke(ingest_app, ["contours", *account, *(str(one) for one in arguments)])

    return run


def test_command_fetches_a_list_and_says_what_became_of_each(command, world, orthanc, tmp_path):
    stored_patient(orthanc, tmp_path, "Q-1", 1)
    (tmp_path / "list.csv").write_text("\ufeffPatientID\nQ-9\nQ-1\n", encoding="utf-8")
    done = command(
        "--from-pacs", "hospital", "--studies", tmp_path / "list.csv", "--roi", "expert=GTV-1", "--modality", "CT",
        "--modality", "RTSTRUCT",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "study 1: The archive has no study of this identifier" in done.stderr
    assert "case C-001 (new): contours added: expert" in done.stdout
    assert "Q-9" not in done.output
    assert world.trial.cases.count() == 1


def test_command_refuses_a_list_that_is_none_and_fetches_nothing(command, world, orthanc, tmp_path):
    path = tmp_path / "list.csv"
    one_column = "write one column, headed StudyInstanceUID, PatientID, AccessionNumber, one study a line."
    for text, sentence in (
        ("Q-1\n", f"{path}: {one_column}"),
        ("PatientID,Name\nQ-1,X\n", f"{path}: {one_column}"),
        ("PatientID\n", f"{path} names no study."),
        (
            "PatientID\n*\n",
            f"{path}: study 1 holds *, ? or \\, which search for anything; name each study exactly.",
        ),
    ):
        path.write_text(text)
        done = command("--from-pacs", "hospital", "--studies", path)
        assert isinstance(done.exception, BadInputError)
        assert done.exception.problems == (sentence,)
    for arguments in (
        (),
        ("--from-pacs", "hospital"),
        (tmp_path, "--from-pacs", "hospital", "--studies", path),
    ):
        done = command(*arguments)
        assert isinstance(done.exception, BadInputError)
        assert done.exception.problems == (
            "Name a folder, or an archive by --from-pacs with its list by --studies.",
        )
    assert not world.trial.cases.exists()
