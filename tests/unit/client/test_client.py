"""The client by itself: what it sends, how it retries, what it refuses to do. No site, no waiting."""

import array
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from equipoise.client import (
    ApiError,
    Client,
    Failure,
    HeatMap,
    JobNotFinishedError,
    MaskFile,
    Model,
    Polygons,
    Result,
    RetryPolicy,
    UnreachableError,
)

REPOSITORY = Path(__file__).resolve().parents[3]
MODEL = Model("Segmenter", "2.1", "ab" * 32)
SQUARE = Polygons([[(0, 0, 3), (4, 0, 3), (4, 4, 3)]])


class Site:
    """Answers in turn; keeps the requests and the waits between them."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.waits = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def client(self, **options):
        return Client(
            "https://site.example",
            "eqp_secret",
            transport=httpx.MockTransport(self),
            sleep=self.waits.append,
            **options,
        )


def stored_all(request):
    """Report each item of a JSON request as stored."""
    items = json.loads(request.content)["results"]
    rows = [{"outcome": "stored", "id": str(n), "key": one["key"]} for n, one in enumerate(items)]
    return httpx.Response(200, json={"results": rows})


def problem(status, code, **headers):
    return httpx.Response(status, json={"code": code, "detail": "why", "data": {"a": 1}}, headers=headers)


def results(count):
    return [Result(case=f"C-{n:03d}", model=MODEL, contour=SQUARE, key=f"k{n}") for n in range(count)]


def test_results_are_divided_and_progress_is_told():
    site, told = Site(stored_all, stored_all, stored_all), []
    report = site.client().send_results(
        "t", results(5), chunk_items=2, progress=lambda *step: told.append(step)
    )
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert [item.key for item in report.items] == ["k0", "k1", "k2", "k3", "k4"]
    assert (report.stored, report.unchanged, report.refused) == (5, 0, ())
    first = site.requests[0]
    assert (first.method, first.url.path) == ("POST", "/api/v1/trials/t/results")
    assert first.headers["Authorization"] == "Bearer eqp_secret"
    assert json.loads(first.content)["results"][0] == {
        "key": "k0",
        "case": "C-000",
        "model": {"name": "Segmenter", "version": "2.1", "weights_sha256": "ab" * 32},
        "task": "preference",
        "repeat": 1,
        "contour": {"polygons": [[[0.0, 0.0, 3.0], [4.0, 0.0, 3.0], [4.0, 4.0, 3.0]]]},
        "probability": None,
        "rating": None,
        "heat_map": None,
        "used_in_training": None,
        "run": None,
        "failure": None,
    }


def test_heat_maps_go_as_parts_of_a_form_with_what_made_them(tmp_path):
    file = tmp_path / "MILLER.npy"
    file.write_bytes(b"bytes of a file")
    site = Site(httpx.Response(200, json={"results": [{"outcome": "stored"}] * 2}))
    plane = array.array("d", [0.0, 0.5, 1.0, 0.25])
    view = memoryview(plane.tobytes()).cast("d", (1, 2, 2))
    sent = [
        Result("C-001", MODEL, "classification", heat_map=HeatMap("Grad-CAM", values=view), key="a"),
        Result("C-002", MODEL, "classification", heat_map=HeatMap("CAM", path=file, layer="last"), key="b"),
    ]
    assert site.client().send_results("t", sent).stored == 2
    body = site.requests[0].content
    assert plane.tobytes() in body
    assert b"bytes of a file" in body
    assert b"MILLER" not in body
    listed = json.loads(body.split(b'name="results"\r\n\r\n')[1].split(b"\r\n--")[0])
    assert [one["heat_map"] for one in listed] == [
        {
            "part": "heat-0",
            "format": "raw",
            "shape": [1, 2, 2],
            "dtype": "float64",
            "method": "Grad-CAM",
            "layer": "",
            "target_class": "",
        },
        {"part": "heat-1", "format": "npy", "method": "CAM", "layer": "last", "target_class": ""},
    ]


def test_heat_map_that_is_none_or_two_things_is_refused_before_it_is_sent(tmp_path):
    with pytest.raises(ValueError, match="exactly one of path and values"):
        HeatMap("Grad-CAM")
    with pytest.raises(ValueError, match="float32, float64 or uint8"):
        HeatMap("Grad-CAM", values=array.array("i", [1]))
    unknown = HeatMap("Grad-CAM", path=tmp_path / "x.jpg")
    with pytest.raises(ValueError, match=r"give HeatMap\(..., format=...\)"):
        unknown.as_json("part")


def test_busy_failing_and_absent_site_is_asked_again_with_the_same_body():
    site = Site(
        problem(429, "rate_limited", **{"Retry-After": "7"}),
        problem(503, "internal_error"),
        httpx.ConnectError("away"),
        httpx.ReadTimeout("slow"),
        stored_all,
    )
    report = site.client().send_results("t", results(1))
    assert report.stored == 1
    assert len({request.content for request in site.requests}) == 1
    assert len(site.requests) == 5
    assert site.waits[0] == 7.0
    for wait, doubled in zip(site.waits[1:], (1.0, 2.0, 4.0), strict=True):
        assert doubled / 2 <= wait <= doubled


def test_waits_grow_to_a_limit():
    policy = RetryPolicy(first_wait_s=1, longest_wait_s=10)
    assert [policy.wait_s(n, asked_s=None, jitter=1) for n in range(6)] == [1, 2, 4, 8, 10, 10]
    assert policy.wait_s(3, asked_s=None, jitter=0) == 4
    assert policy.wait_s(0, asked_s=9999, jitter=0) == 10


def test_patience_ends_and_says_how():
    site = Site(*[problem(502, "bad_gateway")] * 3)
    with pytest.raises(ApiError) as caught:
        site.client(retry=RetryPolicy(attempts=3)).trials()
    assert (caught.value.status, caught.value.code, caught.value.data) == (502, "bad_gateway", {"a": 1})
    assert len(site.waits) == 2
    away = Site(*[httpx.ConnectError("away")] * 2)
    with pytest.raises(UnreachableError, match="in 2 tries"):
        away.client(retry=RetryPolicy(attempts=2)).trials()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 302])
def test_refusal_is_final_at_the_first_try(status):
    site = Site(problem(status, "some_code"))
    with pytest.raises(ApiError) as caught:
        site.client().trials()
    assert (caught.value.status, caught.value.code, caught.value.detail) == (status, "some_code", "why")
    assert site.waits == []


def test_answer_of_something_else_than_a_site_is_an_error_of_its_own():
    site = Site(httpx.Response(404, text="<html>nginx</html>"))
    with pytest.raises(ApiError, match="is the address right") as caught:
        site.client().trials()
    assert caught.value.code == "unknown"


def test_file_goes_under_a_neutral_name(tmp_path):
    path = tmp_path / "MILLER_ANNA_19500101.nii.gz"
    path.write_bytes(b"\x1f\x8bvoxels")

    def answer(request):
        body = request.read()
        assert b"MILLER" not in body
        assert b"\x1f\x8bvoxels" in body
        assert b'"contour": {"part": "mask-0", "format": "nifti", "label": null}' in body
        return httpx.Response(200, json={"results": [{"outcome": "unchanged", "id": "x"}]})

    site = Site(answer)
    result = Result(case="C-001", model=MODEL, contour=MaskFile(path))
    report = site.client().send_results("t", [result])
    assert (report.unchanged, report.items[0].key) == (1, result.key)


def test_what_cannot_be_right_is_refused_before_anything_is_sent(tmp_path):
    site = Site()
    twice = [Result(case="C-001", model=MODEL, probability=0.5, key="k")] * 2
    with pytest.raises(ValueError, match="Two results have the key 'k'"):
        site.client().send_results("t", twice)
    with pytest.raises(ValueError, match="chunk_items"):
        site.client().send_results("t", [], chunk_items=101)
    strange = tmp_path / "mask.xyz"
    strange.write_bytes(b"")
    with pytest.raises(ValueError, match="format"):
        site.client().send_results("t", [Result(case="C-001", model=MODEL, contour=MaskFile(strange))])
    assert site.requests == []


def test_token_does_not_travel_in_the_clear():
    with pytest.raises(ValueError, match="https"):
        Client("http://site.example", "eqp_secret")
    with pytest.raises(ValueError, match="url must be"):
        Client("site.example", "eqp_secret")
    for url in ("http://localhost:8000", "http://127.0.0.1:8000"):
        Client(url, "eqp_secret").close()


def test_refused_items_carry_code_and_reason():
    row = {"outcome": "refused", "code": "result_wrong_grid", "detail": "shape", "data": {}, "id": None}
    site = Site(httpx.Response(200, json={"results": [row]}))
    failed = Result(case="C-001", model=MODEL, failure=Failure("crashed"), key="k")
    (item,) = site.client().send_results("t", [failed]).refused
    assert (item.key, item.case, item.code, item.detail) == ("k", "C-001", "result_wrong_grid", "shape")


def test_pages_are_followed_by_their_query_alone():
    following = "http://inner-name/api/v1/trials/t/results?cursor=abc%3D&page_size=1"
    site = Site(
        httpx.Response(200, json={"results": [{"id": 1}], "next": following}),
        httpx.Response(200, json={"results": [{"id": 2}], "next": None}),
    )
    assert [row["id"] for row in site.client().results("t")] == [1, 2]
    assert (
        str(site.requests[1].url) == "https://site.example/api/v1/trials/t/results?cursor=abc%3D&page_size=1"
    )


def job(state, done):
    body = {"id": "j", "kind": "k", "state": state, "done": done, "failed": 0, "total": 3, "stalled": False}
    return httpx.Response(200, json=body)


def test_job_is_watched_until_it_is_finished():
    site, told = Site(job("queued", 0), job("running", 2), job("succeeded", 3)), []
    finished = site.client().wait_for_job("j", progress=lambda *step: told.append(step))
    assert (finished.state, finished.is_finished) == ("succeeded", True)
    assert told == [(0, 3), (2, 3), (3, 3)]
    assert site.waits == [1.0, 1.5]
    late = Site(*[job("running", 1)] * 3)
    with pytest.raises(JobNotFinishedError, match=r"running after 2\.5 s"):
        late.client().wait_for_job("j", timeout_s=3)


class Breaking(httpx.SyncByteStream):
    """A download that breaks off."""

    def __iter__(self):
        yield b"trial,participant\n"
        raise httpx.ReadError("gone")


def test_export_that_breaks_off_is_begun_again_and_leaves_no_half_file(tmp_path):
    target = tmp_path / "readings.csv"
    site = Site(httpx.Response(200, stream=Breaking()), httpx.Response(200, content=b"whole\n"))
    site.client().export_readings("t", target)
    assert target.read_bytes() == b"whole\n"
    away = Site(*[lambda _: httpx.Response(200, stream=Breaking())] * 2)
    with pytest.raises(UnreachableError):
        away.client(retry=RetryPolicy(attempts=2)).export_readings("t", tmp_path / "other.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["readings.csv"]


def test_client_loads_nothing_else_of_the_platform():
    code = (
        "import sys, equipoise.client; "
        "print(*[m for m in sys.modules if m.split('.')[0] in ('django', 'numpy', 'trials', 'rest_framework')"
        " or m.startswith('equipoise.') and not m.startswith('equipoise.client')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_contract_names_every_other_package():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one.get("source_modules") == ["equipoise.client"])
    packages = {
        f"equipoise.{path.parent.name}"
        for path in (REPOSITORY / "platform" / "equipoise").glob("*/__init__.py")
    }
    assert packages - set(contract["forbidden_modules"]) == {"equipoise.client"}
