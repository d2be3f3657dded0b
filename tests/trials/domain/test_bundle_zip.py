"""A bundle's folder as one file: what is compressed already is not compressed again."""

import io
import zipfile

from trials.domain.bundle import zip_into


def test_what_is_compressed_already_goes_in_as_it_is(tmp_path):
    (tmp_path / "results").mkdir()
    names = ("readings.csv", "tables.xlsx", "readings.parquet", "results/figure.png", "results/figure.svg")
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 100)
    sink = io.BytesIO()
    zip_into(tmp_path, sink)
    with zipfile.ZipFile(sink) as packed:
        assert {name: packed.read(name) for name in names} == {name: name.encode() * 100 for name in names}
        stored = {one.filename for one in packed.infolist() if one.compress_type == zipfile.ZIP_STORED}
    assert stored == {"tables.xlsx", "readings.parquet", "results/figure.png"}
