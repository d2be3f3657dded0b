"""A bundle comes back as an archived trial, equal in every number; a bundle from outside is never trusted."""

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError
from django.test import Client
from openpyxl import load_workbook
from typer.testing import CliRunner

from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.cli import trial as command
from equipoise.cli.problems import problems_of
from equipoise.jobs.inline import job_run_inline
from tests.factories.accounts import AccountFactory, InstituteFactory
from tests.trials.bundle.worlds import bone_scans_finished, preference_finished
from trials.domain.bundle import MANIFEST, bundle_problems, manifest_sha256, write_manifest
from trials.models import Analysis, Membership, ProtocolVersion, Reading, StoredBundle, Trial
from trials.reports.bundle import write_bundle, zip_bundle
from trials.reports.exports import tables_workbook
from trials.services import bundle_import as bundle_import_module
from trials.services.acts import Actor
from trials.services.analysis import analysis_request
from trials.services.bundle_import import bundle_import

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1/trials"


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


@pytest.fixture
def elsewhere():
    """Somebody of another institute, to whom the bundle is brought."""
    institute = InstituteFactory.create()
    return AccountFactory.create(institute=institute, is_site_administrator=True)


@pytest.fixture
def preference(tmp_path):
    world = preference_finished()
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    return world, folder


def brought(source, person, *, slug="brought-here"):
    return bundle_import(
        source, institute=person.institute, importer=person, slug=slug, actor=Actor(account_id=person.id)
    )


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def write(folder, name, document):
    """Change a document and make the manifest fit, as somebody would who wants it to be taken."""
    (folder / name).write_text(json.dumps(document), encoding="utf-8")
    renew(folder)


def renew(folder):
    (folder / MANIFEST).unlink()
    write_manifest(folder)


def every_file(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def counted():
    models = (Trial, ProtocolVersion, Analysis, StoredBundle, Membership, AuditEntry)
    return [model.objects.count() for model in models] + [len(list(default_store().keys()))]


def refused(source, person, **options):
    """Return why the bundle is refused; nothing has changed then."""
    before = counted()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the sentences are what each test compares
        brought(source, person, **options)
    told = problems_of(caught.value)
    assert told, caught.value
    assert counted() == before
    return " ".join(told)


# --- the way there and back ----------------------------------------------------------------------------------------


def test_imported_trial_gives_the_same_tables_results_and_bundle(preference, elsewhere, tmp_path):
    world, folder = preference
    trial = brought(folder, elsewhere)
    assert (trial.state, trial.title) == ("archived", world.trial.title)
    assert trial.data_sha256 == world.trial.data_sha256
    assert trial.unblinded_at == world.trial.unblinded_at
    assert not Reading.objects.filter(trial=trial).exists()

    again = tmp_path / "again"
    write_bundle(trial, again)
    assert every_file(again) == every_file(folder)
    assert bundle_problems(again) == []

    told = {entry["name"]: entry for entry in read(folder, "results.json")["analyses"]}
    kept = {analysis.name: analysis for analysis in trial.analyses.all()}
    assert kept.keys() == told.keys()
    for name, entry in told.items():
        assert kept[name].results["numbers"] == entry["numbers"]
        assert not kept[name].exploratory

    client, own = Client(), Client()
    client.force_login(elsewhere)
    own.force_login(world.administrator)
    for name in ("readings.csv", "readings.json", "environments.csv"):
        ours = own.get(f"{API}/{world.trial.id}/export/{name}")
        theirs = client.get(f"{API}/{trial.id}/export/{name}")
        assert b"".join(theirs.streaming_content) == b"".join(ours.streaming_content)


@pytest.mark.parametrize("make", [preference_finished, bone_scans_finished])
def test_every_analysis_run_again_on_an_imported_trial_gives_equal_numbers(make, elsewhere, tmp_path):
    world = make()
    file = tmp_path / "bundle.zip"
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    zip_bundle(folder, file)
    trial = brought(file, elsewhere)
    told = {entry["name"]: entry for entry in read(folder, "results.json")["analyses"]}
    assert told
    for name, entry in told.items():
        again = analysis_request(
            trial, name=name, options={}, external_table=None, actor=Actor(account_id=elsewhere.id)
        )
        job_run_inline(again.job_id)
        again.refresh_from_db()
        assert again.state == "succeeded", again.message
        assert again.data_sha256 == entry["data_sha256"]
        assert again.results["numbers"] == entry["numbers"]


def test_imported_trial_is_listed_with_its_origin_and_its_pages_answer(preference, elsewhere):
    world, folder = preference
    trial = brought(folder, elsewhere)
    client, own = Client(), Client()
    client.force_login(elsewhere)
    own.force_login(world.administrator)
    [row] = client.get(API).json()["results"]
    [original] = own.get(API).json()["results"]
    assert row["counts"] == original["counts"]
    assert row["state"] == "archived"
    assert row["imported"]["manifest_sha256"] == manifest_sha256(folder)
    assert row["imported"]["slug"] == world.trial.slug
    assert row["imported"]["made_at"] == read(folder, "trial.json")["bundled_at"].replace("+00:00", "Z")
    assert original["imported"] is None

    overview = client.get(f"{API}/{trial.id}").json()
    assert overview["actions"] == []
    assert overview["imported"] == row["imported"]
    for page in ("protocol", "participants", "allocation", "monitor", "analyses", "audit", "bundle", "cases"):
        assert client.get(f"{API}/{trial.id}/{page}").status_code == 200, page
    report = client.get(f"{API}/{trial.id}/export/report.html")
    assert report.content == (folder / "report.html").read_bytes()
    assert report["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    figure = client.get(f"{API}/{trial.id}/analyses").json()["results"][0]["figures"][0]
    answer = client.get(figure["svg_url"])
    assert answer.status_code == 200
    assert answer["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert own.get(f"{API}/{trial.id}").status_code == 404

    entry, *looked = AuditEntry.objects.filter(chain=str(trial.id)).order_by("sequence")
    assert entry.kind == "trial:imported"
    subjects = {look.subject.partition(":")[0] for look in looked}
    assert subjects == {"analyses", "analysis", "export"}
    assert "export:report.html" in {look.subject for look in looked}
    trail = (folder / "audit/trail.jsonl").read_text(encoding="utf-8").splitlines()
    assert entry.after["trail_entries"] == len(trail)
    assert entry.after["trail_head"] == json.loads(trail[-1])["hash"]
    assert chain_verify(str(trial.id)).is_intact


@pytest.mark.slow
def test_bundle_comes_into_an_empty_database_by_command(preference, tmp_path):
    _, folder = preference
    database = tmp_path / "empty.sqlite3"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.local",
        "EQUIPOISE_DATABASE_URL": f"sqlite:///{database}",
        "EQUIPOISE_DATA_DIR": str(tmp_path / "var"),
        "EQUIPOISE_ACCOUNT": "admin@example.org",
    }

    def equipoise(*arguments, **options):
        run = [sys.executable, "-m", "equipoise.cli.main", *map(str, arguments)]
        done = subprocess.run(
            run, env=environment, capture_output=True, text=True, timeout=240, check=False, **options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    equipoise(
        "admin", "create-account", "admin@example.org", "--name", "Ada", "--institute", "Elsewhere",
        "--site-administrator", input="a long enough password\n",
    )  # fmt: skip
    told = equipoise("trial", "import", folder)
    assert manifest_sha256(folder) in told
    slug = read(folder, "trial.json")["slug"]
    equipoise("trial", "export", slug, "--reason", "Compare", "--output", tmp_path / "again")
    assert every_file(tmp_path / "again") == every_file(folder)


def test_bundle_is_brought_by_the_browser_and_only_once(preference, elsewhere, tmp_path):
    _, folder = preference
    zip_bundle(folder, tmp_path / "bundle.zip")
    client = Client()
    client.force_login(elsewhere)

    def send(slug):
        content = (tmp_path / "bundle.zip").read_bytes()
        file = SimpleUploadedFile("bundle.zip", content, content_type="application/zip")
        return client.post(f"{API}/import", {"file": file, "slug": slug})

    made = send("brought-here")
    assert made.status_code == 201, made.content
    assert made.json()["imported"]["manifest_sha256"] == manifest_sha256(folder)
    again = send("once-more")
    assert again.status_code == 422
    assert "here already, as the trial brought-here" in again.json()["detail"]
    reader = Client()
    reader.force_login(AccountFactory.create(institute=elsewhere.institute))
    assert reader.post(f"{API}/import", {}).status_code == 403


def test_a_short_name_that_is_taken_or_none_is_refused(preference, elsewhere):
    world, folder = preference
    assert f"short name '{world.trial.slug}' already" in refused(folder, elsewhere, slug=None)
    assert "is no short name" in refused(folder, elsewhere, slug="Not One")


def test_only_a_site_administrator_imports(preference):
    world, folder = preference
    person = AccountFactory.create(institute=world.trial.institute)
    done = CliRunner().invoke(command.app, ["import", str(folder), "--as", person.email])
    assert "is no site administrator" in str(done.exception)


FORMULA = '=HYPERLINK("http://example.org","see")'


def planted(folder, name):
    """Put a formula into the first row of a CSV file, and a negative number beside it; return the header."""
    with (folder / name).open(encoding="utf-8", newline="") as source:
        table = list(csv.reader(source))
    table[1][:2] = [FORMULA, "-0.5"]
    with (folder / name).open("w", encoding="utf-8", newline="") as sink:
        csv.writer(sink, lineterminator="\n").writerows(table)
    return table[0]


def test_formulas_of_a_bundle_are_served_as_text(preference, elsewhere):
    _, folder = preference
    results = "results/preference/results.json"
    document = read(folder, results)
    table, figure = next(iter(document["tables"])), next(iter(document["figures"]))
    document["tables"][table]["rows"][0][:2] = [FORMULA, ["=1+1"]]
    document["tables"][table]["columns"][0] = "=1+2"
    planted(folder, f"results/preference/tables/{table}.csv")
    planted(folder, f"results/preference/figures/{figure}.csv")
    planted(folder, "environments.csv")
    header = planted(folder, "participants.csv")
    (folder / "tables.xlsx").write_bytes(b"a workbook with formulas")
    write(folder, results, document)
    trial = brought(folder, elsewhere)
    client = Client()
    client.force_login(elsewhere)

    def table_at(address):
        answer = client.get(address)
        assert answer.status_code == 200, address
        content = answer.getvalue().decode("utf-8")
        return list(csv.reader(io.StringIO(content, newline="")))

    analysis = f"{API}/{trial.id}/analyses/{trial.analyses.get(name='preference').id}/files"
    for address in (
        f"{analysis}/tables/{table}.csv",
        f"{analysis}/figures/{figure}.csv",
        f"{API}/{trial.id}/export/environments.csv",
    ):
        assert table_at(address)[1][:2] == ["'" + FORMULA, "-0.5"], address

    answer = client.get(f"{API}/{trial.id}/export/tables.xlsx")
    assert answer.status_code == 200
    book = load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames[:3] == ["readings", "participants", "environments"]
    for sheet in book:
        assert {cell.data_type for row in sheet.rows for cell in row}.isdisjoint({"f", "e"}), sheet.title
    rows = list(book["participants"].iter_rows(values_only=True))
    assert list(rows[0]) == header
    assert rows[1][:2] == ("'" + FORMULA, -0.5)
    head, first, *_ = book[f"preference {table}"[:31]].iter_rows(values_only=True)
    assert head[0] == "'=1+2"
    assert first[:2] == ("'" + FORMULA, '["=1+1"]')
    readings = list(book["readings"].iter_rows(values_only=True))
    original = io.BytesIO()
    tables_workbook(preference[0].trial, original)
    assert readings == list(load_workbook(original)["readings"].iter_rows(values_only=True))


# --- what is refused -----------------------------------------------------------------------------------------------


def test_changed_added_and_missing_files_are_named(preference, elsewhere):
    _, folder = preference
    (folder / "readings.csv").write_text("case\n", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "README.txt").unlink()
    told = refused(folder, elsewhere)
    assert "readings.csv was changed" in told
    assert "notes.txt is not in the manifest" in told
    assert "README.txt is missing" in told


def zipped(tmp_path, fill):
    path = tmp_path / "hostile.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        fill(archive)
    return path


def _link(archive):
    info = zipfile.ZipInfo("trial.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def _twice(archive):
    archive.writestr("trial.json", "{}")
    archive.writestr("TRIAL.json", "{}")


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (lambda archive: archive.writestr("../outside.txt", "x"), "climbs out of the folder"),
        (lambda archive: archive.writestr("/etc/outside.txt", "x"), "absolute name"),
        (lambda archive: archive.writestr("C:\\outside.txt", "x"), "absolute name"),
        (_link, "is a link"),
        (_twice, "the name of an earlier one"),
        (lambda archive: archive.writestr("trial.json", "{}"), "no manifest.json"),
    ],
)
def test_zip_files_that_would_leave_the_folder_or_hold_links_are_refused(fill, sentence, elsewhere, tmp_path):
    told = refused(zipped(tmp_path, fill), elsewhere)
    assert sentence in told
    assert not (tmp_path.parent / "outside.txt").exists()


def test_zip_that_unpacks_to_more_than_is_allowed_is_refused(elsewhere, tmp_path, monkeypatch):
    path = zipped(tmp_path, lambda archive: archive.writestr("zeros.bin", bytes(40_000_000)))
    assert path.stat().st_size < 60_000
    usage = shutil.disk_usage(tmp_path)._replace(free=20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert "unpacks to more than 10000000 bytes" in refused(path, elsewhere)


def test_files_that_are_no_archives_are_refused(elsewhere, tmp_path):
    (tmp_path / "bundle.zip").write_bytes(b"PK\x03\x04 not really")
    assert "is not a readable archive" in refused(tmp_path / "bundle.zip", elsewhere)
    (tmp_path / "bundle.rar").write_bytes(b"Rar!")
    assert "neither the folder of a bundle nor a .zip" in refused(tmp_path / "bundle.rar", elsewhere)


def test_links_in_a_folder_are_refused(preference, elsewhere, tmp_path):
    _, folder = preference
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (folder / "README.txt").unlink()
    (folder / "README.txt").symlink_to(tmp_path / "secret.txt")
    assert "README.txt is a link" in refused(folder, elsewhere)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("trial.json", lambda d: d.update(schema="equipoise-bundle/9"), "trial.json: /schema"),
        ("trial.json", lambda d: d.update(slug="../x"), "trial.json: /slug"),
        ("trial.json", lambda d: d.update(title="x" * 201), "trial.json: /title"),
        ("trial.json", lambda d: d.update(state="open"), "trial.json: /state"),
        (
            "trial.json",
            lambda d: d.update(title="nul\x00"),
            "trial.json: this is not JSON as a bundle holds it",
        ),
        ("trial.json", lambda d: d.update(created_at="yesterday"), "trial.json: /created_at"),
        (
            "protocol/version-1.json",
            lambda d: d.update(sha256="0" * 64),
            "/sha256 is not the hash of /document",
        ),
        ("protocol/version-1.json", lambda d: d["document"].update(title=7), "/document/title"),
        ("protocol/version-1.json", lambda d: d.update(locked_at=None), "no version that was locked"),
        (
            "results.json",
            lambda d: d["analyses"][0]["numbers"][0].update(value=0.99),
            "/numbers are not those of results.json",
        ),
        ("results.json", lambda d: d["analyses"][0].update(name="../../etc"), "there is no analysis"),
        (
            "results.json",
            lambda d: d["analyses"][0]["tables"].update(readings="participants.csv"),
            "names other files than the tidy tables",
        ),
        (
            "results/preference/results.json",
            lambda d: d["figures"].update({"../../x": {"title": "", "caption": ""}}),
            "results/preference/results.json: /figures",
        ),
        (
            "results/preference/results.json",
            lambda d: d.update(parameters={"nothing": 1}),
            "its tables and parameters do not fit",
        ),
    ],
)
def test_documents_of_another_form_are_refused_by_file_and_field(
    name, change, sentence, preference, elsewhere
):
    _, folder = preference
    document = read(folder, name)
    change(document)
    write(folder, name, document)
    assert sentence in refused(folder, elsewhere)


def test_moments_that_no_trial_can_have_had_are_refused(preference, elsewhere):
    _, folder = preference
    version = "protocol/version-1.json"
    write(folder, version, read(folder, version) | {"locked_at": "1899-12-31T23:59:59Z"})
    sound = read(folder, "trial.json")
    for moment in (
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2200-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
    ):
        write(folder, "trial.json", sound | {"created_at": moment})
        assert "trial.json: /created_at: " in refused(folder, elsewhere), moment
    write(folder, "trial.json", sound)
    assert f"{version}: /locked_at: " in refused(folder, elsewhere)


def test_a_number_that_no_database_can_hold_is_refused_by_its_place(preference, elsewhere):
    _, folder = preference
    name = "results/preference/results.json"
    document = read(folder, name)
    table = next(iter(document["tables"]))
    document["tables"][table]["rows"][0][0] = "BIG"
    (folder / name).write_text(json.dumps(document).replace('"BIG"', "1e999"), encoding="utf-8")
    renew(folder)
    assert f"/tables/{table}/rows/0/0: a number is too large" in refused(folder, elsewhere)


def test_only_a_short_name_that_is_taken_is_said_to_be_taken(preference, elsewhere, monkeypatch):
    """The name is free when it is looked up, and another import takes it, or another constraint fails."""
    world, folder = preference
    monkeypatch.setattr(bundle_import_module, "_require_new", lambda *given: None)
    assert f"short name '{world.trial.slug}' already" in refused(folder, elsewhere, slug=world.trial.slug)

    def fails(*given, **named):
        raise IntegrityError("CHECK constraint failed: results")

    monkeypatch.setattr(bundle_import_module, "record", fails)
    with pytest.raises(IntegrityError, match="results"):
        brought(folder, elsewhere)
    assert not Trial.objects.filter(slug="brought-here").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"schema": NaN}', "NaN is no number"),
        ("not json", "this is not JSON"),
    ],
)
def test_json_that_is_none_is_refused(text, sentence, preference, elsewhere):
    _, folder = preference
    (folder / "trial.json").write_text(text, encoding="utf-8")
    renew(folder)
    assert sentence in refused(folder, elsewhere)


def changed_cell(folder, column, value):
    lines = (folder / "readings.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    place = lines[0].rstrip("\n").split(",").index(column)
    cells = lines[4].split(",")
    cells[place] = value
    lines[4] = ",".join(cells)
    (folder / "readings.csv").write_text("".join(lines), encoding="utf-8")
    renew(folder)


def test_wrong_cells_are_named_by_file_row_and_column(preference, elsewhere):
    _, folder = preference
    changed_cell(folder, "repeat", "often")
    told = refused(folder, elsewhere)
    assert "readings.csv" in told
    assert "row 5" in told
    assert "repeat" in told


def test_tables_that_are_no_csv_are_refused_by_file(preference, elsewhere):
    _, folder = preference
    figure = next((folder / "results/preference/figures").glob("*.csv"))
    figure.write_text("x" * 200_000, encoding="utf-8")
    (folder / "participants.csv").write_bytes(b"code\n\xff\n")
    renew(folder)
    assert "participants.csv: this is no CSV file" in refused(folder, elsewhere)
    (folder / "participants.csv").write_text("," * 16_384, encoding="utf-8")
    renew(folder)
    assert "participants.csv has more than 16384 columns" in refused(folder, elsewhere)
    (folder / "participants.csv").write_text("code\n", encoding="utf-8")
    renew(folder)
    told = refused(folder, elsewhere)
    assert f"results/preference/figures/{figure.name}: this is no CSV file" in told


def test_results_that_do_not_come_of_the_tables_are_refused(preference, elsewhere):
    """A changed answer under a manifest that fits: the hash that each result carries tells."""
    _, folder = preference
    changed_cell(folder, "decision_s", "0.5")
    assert "/data_sha256 is not the hash of the tables" in refused(folder, elsewhere)


def test_a_trail_that_was_altered_or_cut_short_in_the_middle_is_refused(preference, elsewhere):
    _, folder = preference
    path = folder / "audit/trail.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    entry = json.loads(lines[2])
    entry["after"] = {"state": "open"}
    path.write_text("".join([*lines[:2], json.dumps(entry) + "\n", *lines[3:]]), encoding="utf-8")
    renew(folder)
    assert "line 3 does not give its hash" in refused(folder, elsewhere)
    path.write_text("".join([*lines[:2], *lines[3:]]), encoding="utf-8")
    renew(folder)
    assert "line 3 does not follow" in refused(folder, elsewhere)
    early = json.dumps(json.loads(lines[2]) | {"created_at": "0001-01-01T00:00:00+14:00"})
    for line in ("{}", early):
        path.write_text("".join([*lines[:2], f"{line}\n"]), encoding="utf-8")
        renew(folder)
        assert "line 3 is no entry" in refused(folder, elsewhere)


def test_verify_bundle_tells_the_hash_that_an_archive_is_known_by(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "readings.csv").write_text("case\n", encoding="utf-8")
    write_manifest(folder)
    zip_bundle(folder, tmp_path / "bundle.zip")
    for bundle in (folder, tmp_path / "bundle.zip"):
        done = CliRunner().invoke(command.app, ["verify-bundle", str(bundle)])
        assert done.exit_code == 0, done.output
        assert manifest_sha256(folder) in done.output


def test_verify_bundle_unpacks_no_hostile_file(tmp_path):
    path = zipped(tmp_path, lambda archive: archive.writestr("../outside.txt", "x"))
    done = CliRunner().invoke(command.app, ["verify-bundle", str(path)])
    assert "climbs out of the folder" in " ".join(problems_of(done.exception))
    assert not (tmp_path.parent / "outside.txt").exists()
