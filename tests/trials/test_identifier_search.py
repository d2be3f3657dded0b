"""After ingesting files stuffed with names, dates and numbers, none is found in database, files, logs or answers."""

import json
import logging
import re
import uuid
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import URLResolver, get_resolver
from django.urls.converters import UUIDConverter

from equipoise.archive.models import IngestRun, StoredMask, StoredOriginal, StoredVolume
from equipoise.archive.selectors import stored_mask_array, stored_volume_array
from equipoise.archive.storage import StoreKind
from equipoise.archive.verify import verify
from equipoise.common.permissions import Role
from equipoise.config.logs import JsonFormatter
from equipoise.jobs.models import Job
from tests.factories.accounts import AccountFactory, create_token
from tests.factories.trials import PreferenceWorld, preference_world
from tests.trials import stuffed
from trials.models import CasePurpose, Item
from trials.services.ingest import IngestReport, rule_of, trial_ingest_folder
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

RULES = [{"source": "expert", "pattern": "GTV-1", "required": False}]
EVERYTHING = {
    "descriptors": "clean",
    "dates": "shift",
    "patient_characteristics": True,
    "device": True,
    "originals": "deidentified_files",
    "burned_in": "review",
}
NAMED_TO_THE_DATA_MANAGER = ("path", "message")
"""Fields of a run's report that hold file names and sentences about them: for the data manager and the sender alone."""


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that is logged at any level, as text and as the lines that a site writes."""
    sink = StringIO()
    handlers = [logging.StreamHandler(sink), logging.StreamHandler(sink)]
    handlers[1].setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    quiet = [
        (name, logging.getLogger(name).level) for name in ("django.db.backends", "django.request", "PIL")
    ]
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield sink
    root.setLevel(level)
    for name, before in quiet:
        logging.getLogger(name).setLevel(before)
    for handler in handlers:
        root.removeHandler(handler)


@pytest.fixture
def store_root(tmp_path, settings) -> Path:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
    root: Path = tmp_path / "var"
    return root


@pytest.fixture(params=[pytest.param("nothing kept", marks=pytest.mark.slow), "everything kept"])
def world(request, store_root) -> PreferenceWorld:
    options: dict[str, Any] = {} if request.param == "nothing kept" else {"deidentification": EVERYTHING}
    return preference_world(cases=2, practice=1, **{"items.selection.count": 2, **options})


def sent(tmp_path: Path) -> list[Path]:
    """Return two archives and a folder with one of everything."""
    folders = [tmp_path / name / stuffed.FOLDER for name in ("scan", "files", "planar")]
    stuffed.write_scan(folders[0] / stuffed.ACCESSION)
    stuffed.write_volume_files(folders[1])
    stuffed.write_failures(folders[1].parent / "more")
    stuffed.write_bone_scan(folders[2] / stuffed.ACCESSION)
    picture = tmp_path / "picture"
    stuffed.write_picture(picture)
    return [
        stuffed.packed_zip(folders[0].parent, tmp_path / "Quetzal.zip"),
        stuffed.packed_tar(folders[1].parent, tmp_path / "Quetzal.tar.gz"),
        folders[2].parent,
        picture,
    ]


def ingest(world: PreferenceWorld, folder: Path) -> IngestReport:
    return trial_ingest_folder(
        world.trial,
        folder,
        rules=[rule_of(rule) for rule in RULES],
        purpose=CasePurpose.TRIAL,
        actor=world.actor,
    )


def everything_in_the_database() -> Iterator[tuple[str, bytes]]:
    """Yield every row of every table, as the database gives it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield (
                    table,
                    b"\0".join(
                        bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in row
                    ),
                )


def addresses(
    resolver: URLResolver | None = None, prefix: str = ""
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield every address's template with its converters."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern, prefix + str(pattern.pattern))
        elif not str(pattern.pattern).startswith("^"):
            yield prefix + str(pattern.pattern), dict(pattern.pattern.converters)


def filled(template: str, converters: dict[str, object], known: dict[str, list[str]]) -> list[str]:
    """Return the addresses of a template for everything that is known, one parameter after the other."""
    made = [template]
    for name, converter in converters.items():
        values = known.get(name) or [str(uuid.uuid4()) if isinstance(converter, UUIDConverter) else "1"]
        spot = next(one for one in re.findall(r"<[^>]+>", template) if one.endswith(f":{name}>"))
        made = [address.replace(spot, value) for address in made for value in values]
    return [f"/{address}" for address in made]


def known_parameters(world: PreferenceWorld) -> dict[str, list[str]]:
    trial = world.trial
    scan = StoredVolume.objects.get(trial_id=trial.id, run__isnull=False, modality="CT", masks__isnull=False)
    return {
        "trial_id": [str(trial.id)],
        "trial": [trial.slug],
        "case_id": [str(trial.cases.get(images__volume=scan).id)],
        "item_id": [str(Item.objects.filter(trial=trial).values_list("id", flat=True)[0])],
        "run_id": [str(one) for one in IngestRun.objects.values_list("id", flat=True)],
        "job_id": [str(one) for one in Job.objects.values_list("id", flat=True)],
        "study_uid": [scan.study_uid],
        "series_uid": [scan.series_uid],
        "name": ["readings.csv"],
    }


def people(world: PreferenceWorld) -> dict[str, Client]:
    """Return a client for every role, for programs and for nobody."""
    clients = {"nobody": Client()}
    for role in Role:
        if role is Role.ALGORITHM:
            _, secret = create_token(trial_id=world.trial.id, role=role.value)
            clients[role.value] = Client(headers={"Authorization": f"Bearer {secret}"})
            continue
        account = AccountFactory.create(is_site_administrator=role is Role.SITE_ADMINISTRATOR)
        if role is not Role.SITE_ADMINISTRATOR:
            membership_create(world.trial, account, role, actor=world.actor)
        clients[role.value] = Client()
        clients[role.value].force_login(account)
    return clients


def instance_uid(client: Client, world: PreferenceWorld, series_uid: str) -> str:
    found = client.get(
        f"/api/v1/trials/{world.trial.id}/dicomweb/instances?SeriesInstanceUID={series_uid}&limit=1"
    )
    (instance,) = found.json()
    uid: str = instance["00080018"]["Value"][0]
    return uid


def body_of(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def without_file_names(content: bytes) -> bytes:
    """Return a run's report as the data manager gets it, without the fields that are there to name files."""
    document = json.loads(content)
    for file in document["files"]:
        for field in NAMED_TO_THE_DATA_MANAGER:
            file.pop(field)
    return json.dumps(document).encode()


def test_the_search_finds_what_is_hidden():
    for form in (
        stuffed.SENTENCE.encode(),
        stuffed.SENTENCE.encode("utf-16-le"),
        *(stuffed.b64encode(b"x" * n + stuffed.SENTENCE.encode()) for n in range(3)),
        b"head" + stuffed.gzip.compress(stuffed.SENTENCE.encode()),
        b"head" + stuffed.zlib.compress(stuffed.SENTENCE.encode()),
    ):
        assert stuffed.words_in(form) >= {"quetzal", "ximena", "elmstreet", "zweistein", "nordklinikum"}


def test_the_material_is_stuffed(tmp_path):
    for source in sent(tmp_path):
        files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]
        for path in files:
            assert stuffed.words_in(path.read_bytes()) >= {"quetzal", "ximena"}, path


def test_no_identifier_is_left_anywhere(world, store_root, tmp_path, logged, capfd):
    reports = [ingest(world, source) for source in sent(tmp_path)]

    # it came in, whole
    assert [report.outcome.problems for report in reports] == [(), (), (), ()]
    assert [len(report.outcome.patients) for report in reports] == [1, 3, 1, 1]
    keeps = world.trial.protocol_versions.get().document["deidentification"]["originals"] != "none"
    assert StoredOriginal.objects.count() == (9 if keeps else 0)
    assert verify().sound

    # the database
    rows = list(everything_in_the_database())
    assert len(rows) > 200
    assert [(table, row) for table, row in rows if stuffed.words_in(row)] == []

    # the store and everything else in the site's folder
    files = [path for path in store_root.rglob("*") if path.is_file()]
    kinds = {path.parent.name for path in files}
    expected = {StoreKind.PACKS, StoreKind.MASKS, StoreKind.INGEST_LOGS, StoreKind.REMOVAL_LOGS}
    assert kinds >= {kind.value for kind in expected}
    named = [path for path in files if path.parent.name == StoreKind.INGEST_LOGS]
    assert all(stuffed.words_in(path.read_bytes()) for path in named)  # file names: apart, and deletable
    assert [p for p in files if p not in named and stuffed.words_in(p.read_bytes())] == []
    assert [path for path in files if stuffed.words_in(str(path.relative_to(store_root)).encode())] == []
    for volume in StoredVolume.objects.all():
        assert stuffed.words_in(stored_volume_array(volume).tobytes()) == set()
    for mask in StoredMask.objects.all():
        assert stuffed.words_in(stored_mask_array(mask).tobytes()) == set()

    # every answer to everybody
    clients, known = people(world), known_parameters(world)
    known["instance_uid"] = [instance_uid(clients["administrator"], world, known["series_uid"][0])]
    asked, answered = 0, 0
    for template, converters in addresses():
        for address in filled(template, converters, known):
            for who, client in clients.items():
                response = client.get(address)
                body = body_of(response)
                asked, answered = asked + 1, answered + (response.status_code == 200)
                is_report = template.endswith("ingests/<uuid:run_id>") and who == Role.DATA_MANAGER
                if is_report and response.status_code == 200:
                    body = without_file_names(body)
                headers = repr(dict(response.headers)).encode()
                assert stuffed.words_in(body) | stuffed.words_in(headers) == set(), (who, address)
    assert asked > 400
    assert answered > 80

    # what was logged and printed meanwhile
    text = logged.getvalue() + "".join(capfd.readouterr())
    assert len(text) > 1000
    assert stuffed.words_in(text.encode()) == set()
