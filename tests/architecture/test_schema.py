"""Migrations and the API schema say what the code says."""

from collections import defaultdict
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


@pytest.mark.django_db
@pytest.mark.db
def test_no_migration_is_missing():
    out = StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=out)
    assert out.getvalue().strip() == "No changes detected"


def test_committed_schema_is_the_codes(tmp_path):
    file = tmp_path / "schema.yaml"
    call_command("spectacular", file=str(file), validate=True, fail_on_warn=True)
    committed = REPOSITORY / "frontend" / "src" / "api" / "schema.yaml"
    assert committed.read_text() == file.read_text(), "Run `make schema` and commit the result."


def test_every_operation_declares_the_error_shape(schema):
    without = [
        f"{method} {path}"
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if "default" not in operation["responses"]
    ]
    assert without == []


def test_error_codes_stand_in_the_schema(schema):
    from equipoise.common.errors import ErrorCode

    problem = schema["components"]["schemas"]["Problem"]["properties"]["code"]
    reference = problem.get("$ref") or problem["allOf"][0]["$ref"]
    assert set(schema["components"]["schemas"][reference.rsplit("/", 1)[1]]["enum"]) == {
        c.value for c in ErrorCode
    }


def test_operation_ids_are_unique(schema):
    places = defaultdict(list)
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            places[operation["operationId"]].append(f"{method} {path}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_migrations_are_named_for_their_purpose():
    names = [p for root in ("platform", "trials") for p in (REPOSITORY / root).rglob("migrations/0*.py")]
    assert [
        str(p) for p in names if "_auto_" in p.name or "_and_more" in p.name or p.stem.endswith("initial")
    ] == []
