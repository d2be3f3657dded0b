"""Bodies of many files: whatever comes, it is files or a refusal, and nothing stays behind."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipoise.archive.dicomweb.related import PartFiles, boundary_of, related_body
from equipoise.archive.dicomweb.spool import instances_spool
from equipoise.archive.storage import incoming_folder
from equipoise.common.errors import DomainError

BOUNDARY = "b0und"
CONTENT_TYPE = f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"'
QUICK = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)

pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"--b0und",
            b"\r\n--b0und",
            b"--b0und--",
            b"\r\n",
            b"\r\n\r\n",
            b"--",
            b"Content-Type: application/dicom",
            b"\r",
        ]
    ),
    st.just(b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"),
)


@QUICK
@given(parts=st.lists(st.binary(max_size=300), max_size=6), size=st.integers(1, 400))
def test_what_is_written_in_parts_is_read_as_the_same_parts(tmp_path_factory, parts, size):
    folder = tmp_path_factory.mktemp("parts")
    parts = [part for part in parts if f"--{BOUNDARY}".encode() not in part]
    body = b"".join(related_body(parts, boundary=BOUNDARY, content_type="application/dicom"))
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    files = PartFiles(folder, BOUNDARY, max_parts=10, max_part_bytes=1000).read(chunks)
    assert [path.read_bytes() for path in files] == parts


@QUICK
@given(parts=st.lists(pieces, max_size=30), size=st.integers(1, 60))
def test_any_body_is_spooled_or_refused_and_a_refused_one_leaves_nothing(store, parts, size):
    body = b"".join(parts)
    before = {path.name for path in incoming_folder().iterdir()}
    try:
        spooled = instances_spool(
            (body[start : start + size] for start in range(0, len(body), size)), content_type=CONTENT_TYPE
        )
    except DomainError:
        assert {path.name for path in incoming_folder().iterdir()} == before
    else:
        assert spooled.batches == ()  # none of this is a whole instance
        assert all(one.failure is not None for one in spooled.instances)
        assert {path.name for path in incoming_folder().iterdir()} == before


@QUICK
@given(text=st.text(max_size=80))
def test_any_content_type_names_a_boundary_or_is_refused(text):
    for content_type in (text, f"multipart/related; {text}", f'multipart/related; boundary="{text}"'):
        with contextlib.suppress(DomainError):
            assert boundary_of(content_type)


def test_an_answer_is_made_part_by_part():
    made = []

    def parts():
        for number in range(3):
            made.append(number)
            yield bytes([number])

    body = related_body(parts(), boundary=BOUNDARY, content_type="application/dicom")
    next(body)
    assert made == [0]
    assert next(body) == b"\0"
    next(body)
    assert made == [0]
    next(body)
    assert made == [0, 1]


def test_empty_answer_is_a_body_without_parts(tmp_path: Path):
    body = list(related_body([], boundary=BOUNDARY, content_type="application/dicom"))
    assert body == [b"--b0und--\r\n"]
    with pytest.raises(DomainError):
        list(PartFiles(tmp_path, "x" * 2000, max_parts=1, max_part_bytes=1).read([b""]))
