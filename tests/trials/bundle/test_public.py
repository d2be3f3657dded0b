"""The public form of a bundle: nothing in it leads to a person, and its numbers come of its tables again."""

import csv
import hashlib
import json
import re
import zipfile
from collections import Counter

import pytest
from django.test import Client
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.cli.problems import BadInputError
from equipoise.common.errors import ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from tests.factories import trials as factory
from tests.trials.bundle.r_environment import has_r, reproduced_in_r
from tests.trials.bundle.test_bundle import reproduced
from tests.trials.bundle.worlds import bone_scans_finished, preference_finished, preference_read, unblind
from trials.domain.bundle import bundle_problems
from trials.domain.bundle_contents import BundleRefusedError, bundle_read
from trials.models import Contour, PublicBundle
from trials.reports.bundle import bundle_make, write_bundle
from trials.reports.public_bundle import write_public_bundle
from trials.selectors.files import trial_file_digests
from trials.services.public_bundle import reader_names

pytestmark = [pytest.mark.django_db, pytest.mark.db]

WORDS = "As Dr Example said on ward nine"


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


def run(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def of_quantity(entry, quantity):
    return [one for one in entry["numbers"] if one["quantity"] == quantity]


def published(world, tmp_path, **options):
    """Return the folders of the bundle and of its public form."""
    whole, public = tmp_path / "whole", tmp_path / "public"
    write_bundle(world.trial, whole)
    secret = bytes(world.trial.patient_key_secret)
    write_public_bundle(whole, public, secret=secret, names=reader_names(world.trial), **options)
    assert bundle_problems(public) == []
    return whole, public


def texts(folder):
    """Yield every file's content as text; what a figure as PDF or PNG shows stands in the CSV beside it."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        yield path.relative_to(folder).as_posix(), path.read_bytes().decode("utf-8", errors="replace")


def forbidden(world):
    """Return what must stand in no file: readers by any name, codes of the screens, rows of the database, days."""
    trial = world.trial
    readers = trial.participants.filter(kind="reader")
    found = {world.administrator.email, world.administrator.display_name, trial.slug, str(trial.id)}
    for reader in readers:
        person = reader.membership.account
        found |= {person.email, person.display_name, str(person.id), reader.code, str(reader.id)}
    readings = trial.readings.values_list("id", "submitted_at")
    found |= {str(row) for row, _ in readings} | {str(moment.date()) for _, moment in readings if moment}
    return found | {
        str(row) for row in Contour.objects.filter(case__trial=trial).values_list("id", flat=True)
    }


def assert_nothing_of(words, folder):
    patterns = {word: re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])") for word in words}
    for name, text in texts(folder):
        held = [word for word, pattern in patterns.items() if pattern.search(text)]
        assert held == [], (name, held)


def test_nothing_in_any_file_leads_to_a_reader(tmp_path):
    world = unblind(preference_read(slug="name-of-no-other-thing"))
    whole, public = published(world, tmp_path)
    assert_nothing_of(forbidden(world), public)
    there = {path.relative_to(public).parts[0] for path in public.rglob("*") if path.is_file()}
    assert there == {
        "README.txt", "trial.json", "protocol.json", "readings.csv", "truth.csv", "participants.csv", "results.json",
        "results", "numbers.csv", "parameters.csv", "inputs.csv", "parts.csv", "reproduce.py", "reproduce.R",
        "manifest.json",
    } - ({"truth.csv"} if not (whole / "truth.csv").is_file() else set())  # fmt: skip
    columns = set(rows(public, "readings.csv")[0])
    left_out = {
        "trial",
        "experience_years",
        "session",
        "position",
        "left_contour_id",
        "comment",
        "slice",
        "display",
    }
    assert not columns & left_out
    assert not {name for name in columns if name.startswith("form_")}
    told = read(public, "trial.json")
    assert (told["schema"], told["words"], told["readers"]) == ("equipoise-public-bundle/1", "left out", 4)
    assert re.fullmatch(r"\d{4}-\d{2}", told["unblinded"])
    assert "text" not in read(public, "protocol.json")["document"].get("consent", {})
    with pytest.raises(BundleRefusedError, match="public form"):
        bundle_read(public)


def of_readers(whole, readers):
    """Write the bundle's readings as if so many had read, each of a group and with so many years; no analyses."""
    told = rows(whole, "readings.csv")
    first = [row for row in told if row["participant"] == "R-01"]
    with (whole / "readings.csv").open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, list(first[0]), lineterminator="\n")
        writer.writeheader()
        for number, (group, years) in enumerate(readers, start=1):
            person = {"participant": f"R-{number:02d}", "group": group, "experience_years": years}
            writer.writerows(row | person for row in first)
    index = read(whole, "results.json") | {"analyses": []}
    (whole / "results.json").write_text(json.dumps(index), encoding="utf-8")


def test_groups_of_fewer_than_five_are_merged_and_experience_is_banded(tmp_path):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    whole = tmp_path / "whole"
    write_bundle(unblind(world).trial, whole)

    def told(name, readers):
        of_readers(whole, readers)
        write_public_bundle(whole, tmp_path / name, secret=b"s")
        people = rows(tmp_path / name, "participants.csv")
        groups = {one["participant"]: one["group"] for one in people}
        assert {row["participant"]: row["group"] for row in rows(tmp_path / name, "readings.csv")} == groups
        return Counter((one["group"], one["experience_band"]) for one in people)

    # Five share a band in one group; in the other no five do.
    assert told("two", [("radiology", 3)] * 5 + [("surgery", 1)] * 3 + [("surgery", 12.5)] * 3) == {
        ("radiology", "3-5"): 5,
        ("surgery", ""): 6,
    }
    assert told("pooled", [("radiology", 30)] * 5 + [("surgery", 7)] * 2 + [("other_medical", 8)] * 3) == {
        ("radiology", ">10"): 5,
        ("other", "6-10"): 5,
    }
    assert told("one", [("radiology", 30)] * 6 + [("surgery", 30)]) == {("", ">10"): 7}
    assert told("few", [("radiology", 30)] * 3 + [("surgery", "")]) == {("", ""): 4}
    assert "surgery" not in (tmp_path / "few" / "readings.csv").read_text(encoding="utf-8")
    assert read(tmp_path / "few", "trial.json")["groups_merged"] is True


def test_public_numbers_are_those_of_the_trial_and_come_of_the_public_tables_again(tmp_path):
    world = bone_scans_finished()
    whole, public = published(world, tmp_path)
    assert_nothing_of(forbidden(world), public)
    assert list(rows(public, "truth.csv")[0]) == ["case", "item", "truth"]
    assert read(public, "trial.json")["covariates_left_out"] == ["site"]
    told, again = (
        {one["name"]: one for one in read(folder, "results.json")["analyses"]} for folder in (whole, public)
    )
    assert told.keys() == again.keys() >= {"mrmc", "roc", "reading-time"}
    for quantity in ("condition_mean", "difference", "equality"):
        own, other = (of_quantity(entries["mrmc"], quantity) for entries in (told, again))
        assert [one["subject"] for one in own] == [one["subject"] for one in other]
        for field in ("value", "standard_error", "pvalue"):
            assert [one[field] for one in own] == pytest.approx([one[field] for one in other], abs=1e-9)
    areas = [sorted(one["value"] for one in of_quantity(entries["mrmc"], "auc")) for entries in (told, again)]
    assert areas[0] == pytest.approx(areas[1], abs=1e-12)
    done = reproduced(public)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "differ" not in done.stdout
    if has_r():
        in_r = reproduced_in_r(public)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr


def test_comments_are_in_it_only_where_somebody_has_reviewed_them(tmp_path):
    world = factory.open_world()
    reader = world.enrol()
    for _ in range(reader.readings.filter(phase="practice").count() + 1):
        factory.answer(reader, factory.open_reading(reader), comment=WORDS)
    unblind(world)
    whole, public = published(world, tmp_path)
    assert WORDS in (whole / "readings.csv").read_text(encoding="utf-8")
    assert_nothing_of({WORDS}, public)
    write_public_bundle(whole, tmp_path / "reviewed", secret=b"s", comments_reviewed=True)
    assert WORDS in {row["comment"] for row in rows(tmp_path / "reviewed", "readings.csv")}
    assert read(tmp_path / "reviewed", "trial.json")["words"] == "reviewed"
    with pytest.raises(ValidationFailedError, match=r"readings.csv line \d+ names a reader"):
        write_public_bundle(
            whole,
            tmp_path / "named",
            secret=b"s",
            comments_reviewed=True,
            names={"dr example", "Nobody Else"},
        )


def test_the_public_form_by_command(tmp_path):
    world = preference_finished()
    common = (world.trial.slug, "--as", world.administrator.email, "--reason", "Published", "--public")
    done = run("export", *common, "--output", tmp_path / "public.zip")
    assert done.exit_code == 0, done.output
    assert run("verify-bundle", tmp_path / "public.zip").exit_code == 0
    with zipfile.ZipFile(tmp_path / "public.zip") as archive:
        assert "audit/trail.jsonl" not in archive.namelist()
        assert "R-01" not in archive.read("readings.csv").decode()
    entry = AuditEntry.objects.get(subject="export:public-bundle")
    assert entry.after == {"state": "unblinded", "comments_reviewed": False}
    refused = run("export", *common[:-1], "--comments-reviewed", "--output", tmp_path / "no.zip")
    assert isinstance(refused.exception, BadInputError)


def test_no_public_form_before_unblinding(tmp_path):
    world = preference_read()
    refused = run(
        "export", world.trial.slug, "--as", world.administrator.email, "--reason", "Early", "--public",
        "--output", tmp_path / "public",
    )  # fmt: skip
    assert isinstance(refused.exception, BadInputError)
    assert "after unblinding" in str(refused.exception)
    assert not (tmp_path / "public").exists()


def test_a_worker_makes_the_public_form_of_the_kept_bundle_and_a_newer_one_replaces_it():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    client = Client()
    client.force_login(world.administrator)
    address = f"/api/v1/trials/{world.trial.id}"
    assert client.get(f"{address}/export/public-bundle.zip").status_code == 404
    body = {"reason": "Published", "comments_reviewed": False}
    refused = client.post(f"{address}/bundle/public", body, content_type="application/json")
    assert (refused.status_code, "make the bundle first" in refused.json()["detail"]) == (409, True)
    whole = bundle_make(world.trial).keep()
    for _ in range(2):
        asked = client.post(f"{address}/bundle/public", body, content_type="application/json")
        assert asked.status_code == 202, asked.content
        job_run_inline(asked.json()["job_id"])
    kept = PublicBundle.objects.get()
    assert kept.made_of_sha256 == whole.manifest_sha256
    assert trial_file_digests()[kept.files_key] == kept.file_sha256
    entry = AuditEntry.objects.filter(subject=f"public-bundle:{kept.id}").order_by("-sequence").first()
    assert entry.after == {"manifest_sha256": kept.manifest_sha256, "made_of_sha256": whole.manifest_sha256}
    told = client.get(f"{address}/bundle/public").json()
    assert (told["current"], told["has_words"], told["manifest_sha256"]) == (
        True,
        False,
        kept.manifest_sha256,
    )
    file = b"".join(client.get(f"{address}/export/public-bundle.zip").streaming_content)
    assert hashlib.sha256(file).hexdigest() == kept.file_sha256
    bundle_make(world.trial).keep()
    assert client.get(f"{address}/bundle/public").json()["current"] is False
