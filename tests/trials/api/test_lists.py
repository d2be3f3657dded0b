"""Paging and entity tags of whatever is read of a trial."""

import pytest

from tests.factories import trials as factory
from tests.trials.api.test_administration import API, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_whole_lists_come_in_pages_when_asked_and_rows_that_go_move_no_page():
    world = factory.open_world()
    client = signed_in(world.administrator)
    path = f"{API}/trials/{world.trial.id}/cases"
    whole = client.get(path).json()
    assert set(whole) == {"results"}
    first = client.get(f"{path}?page_size=3").json()
    assert first["results"] == whole["results"][:3]
    rest, address = [], first["next"]
    while address:
        page = client.get(address).json()
        rest += page["results"]
        address = page["next"]
    assert first["results"] + rest == whole["results"]
    for query in (
        "page_size=0",
        "page_size=201",
        "page_size=x",
        "page_size=000001999",
        "page_size=3&code=%00",
        "page_size=3&cursor=gone",
    ):
        refused = client.get(f"{path}?{query}")
        assert (refused.status_code, refused.json()["code"]) == (400, "validation_failed"), query
    trials = client.get(f"{API}/trials?page_size=1").json()
    assert (len(trials["results"]), trials["next"]) == (1, None)


def test_whole_lists_are_filtered_by_what_their_rows_show():
    world = factory.open_world()
    client = signed_in(world.administrator)
    path = f"{API}/trials/{world.trial.id}/cases"
    whole = client.get(path).json()["results"]
    codes = [row["code"] for row in whole]
    assert len(codes) > 3
    either = client.get(f"{path}?code={codes[0]}&code={codes[2]}").json()["results"]
    assert [row["code"] for row in either] == [codes[0], codes[2]]
    practice = [row["code"] for row in whole if row["purpose"] == "practice"]
    kept = client.get(f"{path}?purpose=practice&page_size=1").json()
    assert [row["code"] for row in kept["results"]] == practice[:1] != []
    waiting = client.get(f"{path}?code={codes[0]}&waits_to_be_looked_at=true").json()["results"]
    assert waiting == [row for row in whole[:1] if row["waits_to_be_looked_at"]]
    assert client.get(f"{path}?code={codes[0]}&purpose=none").json()["results"] == []
    refused = client.get(f"{path}?colour=red")
    assert (refused.status_code, refused.json()["code"]) == (400, "validation_failed")
    assert "'colour'" in refused.json()["detail"]
    assert "purpose" in refused.json()["detail"]
    assert "covariates" not in refused.json()["detail"]


def test_what_is_read_has_a_tag_that_changes_with_it_and_is_kept_by_no_browser():
    world = factory.open_world()
    client = signed_in(world.administrator)
    path = f"{API}/trials/{world.trial.id}/participants"
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-store"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    world.enrol()
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
