"""Enrolling and running by the interface and by the command line, and who may."""

import json
import re

import pytest
from django.test import Client

from equipoise.common.permissions import Role
from equipoise.inference.cards import card_path
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job
from tests.factories.accounts import AccountFactory, create_token
from tests.trials.algorithms.networks import save_brightness_unet
from trials.models import AlgorithmPipeline, AlgorithmResult, AlgorithmRun
from trials.selectors.weights import weights_folder, weights_of
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def bells(monkeypatch):
    from equipoise.jobs import services

    class Bell:
        def send_task(self, name, args, queue):
            assert queue == "inference"

    monkeypatch.setattr(services, "current_app", Bell())


@pytest.fixture
def world(make_world):
    return make_world(cases=2)


def browser_of(account):
    client = Client()
    client.force_login(account)
    return client


def address(world, *parts):
    return "/".join(["/api/v1/trials", str(world.trial.id), "algorithms", *parts])


def post(client, path, body):
    return client.post(path, data=json.dumps(body), content_type="application/json")


def enrolment(weights):
    return {"source": "algorithm", "pipeline": "nsclc", "weights_sha256": weights.unet.sha256}


def test_version_is_enrolled_run_watched_and_repeated(world, weights):
    client = browser_of(world.administrator)
    listed = client.get(address(world)).json()
    assert listed["can_run"] is True
    assert listed["protocol"] == [
        {"source": "algorithm", "name": "Marker", "version": "1", "weights_sha256": weights.unet.sha256}
    ]
    known = {one["name"]: one for one in listed["weights"]}
    assert known["known-unet"]["pipelines"] == ["nsclc", "nsclc-published"]
    answer = post(client, address(world), enrolment(weights))
    assert answer.status_code == 201
    enrolled = answer.json()
    assert (enrolled["code"], enrolled["tasks"]) == ("A-01", ["preference", "contouring"])
    runs = address(world, enrolled["id"], "runs")
    for repeat in (1, 2):
        answer = post(client, runs, {"task": "preference", "repeat": repeat})
        assert answer.status_code == 202
        run = answer.json()["runs"][-1]
        assert (run["job_state"], run["active"], run["stored"]) == ("queued", True, 0)
        again = post(client, runs, {"task": "preference", "repeat": repeat})
        assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
        assert again.json()["data"]["job_id"] == run["job_id"]
        assert client.get(f"/api/v1/jobs/{run['job_id']}").json()["total"] == 2
        job_run_inline(run["job_id"])
    (row,) = client.get(address(world)).json()["results"]
    assert [(run["job_state"], run["stored"], run["active"]) for run in row["runs"]] == [
        ("succeeded", 2, False)
    ] * 2
    assert row["reproducibility"] == [
        {
            "task": "preference",
            "repeat": 2,
            "pairs": 2,
            "identical": 2,
            "reproducible": True,
            "lowest_dice": 1.0,
        }
    ]


def test_queued_run_is_cancelled_and_taken_up_again_at_the_jobs_address(world, weights):
    client = browser_of(world.administrator)
    enrolled = post(client, address(world), enrolment(weights)).json()
    run = post(client, address(world, enrolled["id"], "runs"), {"task": "contouring"}).json()["runs"][0]
    assert client.post(f"/api/v1/jobs/{run['job_id']}/cancel").json()["state"] == "cancelled"
    (row,) = client.get(address(world)).json()["results"]
    assert (row["runs"][0]["can_retry"], row["runs"][0]["active"]) == (True, False)
    assert client.post(f"/api/v1/jobs/{run['job_id']}/retry").json()["state"] == "queued"
    assert job_run_inline(run["job_id"]).state == "succeeded"
    assert AlgorithmResult.objects.count() == 2


@pytest.mark.parametrize(
    ("role", "listed", "enrols"),
    [
        (Role.DATA_MANAGER, 200, 201),
        (Role.UNBLINDED_STATISTICIAN, 200, 403),
        (Role.BLINDED_MONITOR, 403, 403),
        (Role.READER, 404, 404),
        (None, 404, 404),
    ],
)
def test_who_may_see_and_who_may_run(world, weights, role, listed, enrols):
    account = AccountFactory.create(institute=world.trial.institute)
    if role is not None:
        membership_create(world.trial, account, role, actor=world.actor)
    client = browser_of(account)
    assert client.get(address(world)).status_code == listed
    assert post(client, address(world), enrolment(weights)).status_code == enrols
    assert AlgorithmPipeline.objects.count() == (enrols == 201)


def test_program_of_the_role_algorithm_cannot_run(world, weights):
    _, secret = create_token(trial_id=world.trial.id, role=Role.ALGORITHM.value)
    answer = Client().post(
        address(world),
        data=json.dumps(enrolment(weights)),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 404
    assert not AlgorithmPipeline.objects.exists()


def test_algorithm_of_another_trial_is_not_there(world, make_world, weights):
    other = make_world(cases=1, slug="other")
    theirs = post(browser_of(other.administrator), address(other), enrolment(weights)).json()
    answer = post(
        browser_of(world.administrator), address(world, theirs["id"], "runs"), {"task": "contouring"}
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not AlgorithmRun.objects.exists()


@pytest.mark.parametrize("changes", [{"pipeline": "magic"}, {"weights_sha256": "x"}, {"source": ""}])
def test_request_of_another_shape_is_refused(world, weights, changes):
    client = browser_of(world.administrator)
    answer = post(client, address(world), enrolment(weights) | changes)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert not AlgorithmPipeline.objects.exists()


# --- by the command line ----------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `equipoise ...` in this process on the test's database; return exit code and output."""
    from equipoise.cli.main import main

    monkeypatch.setattr("equipoise.config.start.database_prepare", lambda: None)
    monkeypatch.setattr("equipoise.config.start.django_start", lambda: None)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        streams = capsys.readouterr()
        return ended.value.code, streams.out, streams.err

    return run


def test_command_line_registers_enrols_runs_and_lists(world, weights, command, tmp_path):
    email = world.administrator.email
    path = tmp_path / "new.safetensors"
    card = save_brightness_unet(path, steepness=6.0)
    code, out, _ = command("weights", "register", str(path), "--as", email)
    assert (code, out) == (0, f"known-unet 1 is registered: {card.sha256}\n")
    assert weights_of(card.sha256).path.parent == weights_folder()
    sha = weights.unet.sha256
    slug, by = world.trial.slug, ("--as", email)
    code, out, _ = command(
        "trial", "enrol-algorithm", slug, *by, "--source", "algorithm", "--pipeline", "nsclc",
        "--weights", sha[:16],
    )  # fmt: skip
    assert (code, out) == (0, f"A-01 is algorithm, run by nsclc with the weights {sha[:12]}.\n")
    code, out, _ = command("trial", "run-algorithm", slug, *by, "--algorithm", "A-01")
    job = Job.objects.get()
    assert (code, out) == (0, f"The run is queued as job {job.id}.\n")
    job_run_inline(job.id)
    code, out, _ = command(
        "trial", "run-algorithm", slug, *by, "--algorithm", "A-01", "--repeat", "2", "--here"
    )
    assert (code, out) == (0, "2 of 2 cases are done, 0 failed.\n")
    code, out, _ = command("trial", "algorithms", slug, *by)
    assert code == 0
    assert "  preference, repeat 1: succeeded, 2 stored, 0 failed\n" in out
    assert "  repeat 2 of preference reproducible: yes (2 of 2 identical, lowest Dice 1.0000)\n" in out
    assert f"weights {sha}: known-unet 1 for nsclc, nsclc-published\n" in out


def test_command_line_refuses_with_a_sentence_and_changes_nothing(world, weights, command, tmp_path):
    slug, by = world.trial.slug, ("--as", world.administrator.email)
    path = tmp_path / "forged.safetensors"
    save_brightness_unet(path, steepness=7.0)
    text = card_path(path).read_text()
    card_path(path).write_text(re.sub(r'"sha256": "[0-9a-f]+"', f'"sha256": "{"0" * 64}"', text))
    code, _, err = command("weights", "register", str(path), *by)
    assert code == 2
    assert "is not the file that its card describes" in err
    stranger = AccountFactory.create(institute=world.trial.institute)
    code, _, err = command("weights", "register", str(path), "--as", stranger.email)
    assert code == 2
    assert "administers neither the site nor a trial" in err
    code, _, err = command("trial", "run-algorithm", slug, *by, "--algorithm", "A-09")
    assert (code, err.strip()) == (2, f"Trial {slug} has no enrolled algorithm A-09.")
    code, _, err = command(
        "trial", "enrol-algorithm", slug, *by, "--source", "algorithm", "--pipeline", "nsclc",
        "--weights", "zz",
    )  # fmt: skip
    assert code == 2
    assert "0 weights begin with 'zz'" in err
    assert not AlgorithmPipeline.objects.exists()


def test_worker_for_inference_does_one_item_at_a_time(command):
    code, _, err = command("worker", "--concurrency", "2", "--queues", "default,inference")
    assert code == 2
    assert "The queue inference does one item at a time" in err
