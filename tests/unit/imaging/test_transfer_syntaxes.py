"""A scan in every transfer syntax: what dcmtk encodes is decoded exactly, and no promised decoder is missing."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from equipoise.imaging.dicom_header import quiet_pydicom
from equipoise.imaging.dicom_write import write_ct_series
from equipoise.imaging.reading import read_folder
from equipoise.imaging.series import load_series
from equipoise.imaging.volume import ImageVolume
from tests.unit.imaging.conftest import NAMESPACE

ENCODERS = {
    JPEGLosslessSV1: ("dcmcjpeg", "+e1"),
    JPEGLossless: ("dcmcjpeg", "+el"),
    JPEGLSLossless: ("dcmcjpls", "+el"),
    RLELossless: ("dcmcrle",),
    DeflatedExplicitVRLittleEndian: ("dcmconv", "+td"),
    ExplicitVRBigEndian: ("dcmconv", "+tb"),
    ImplicitVRLittleEndian: ("dcmconv", "+ti"),
}
"""Lossless syntaxes that dcmtk writes."""


@pytest.mark.skipif(shutil.which("dcmcjpeg") is None, reason="dcmtk is not installed")
@pytest.mark.parametrize("syntax", ENCODERS, ids=lambda uid: uid.keyword)
def test_what_dcmtk_encodes_comes_back_voxel_by_voxel(tmp_path: Path, volume: ImageVolume, syntax: UID):
    plain, coded = tmp_path / "plain", tmp_path / "coded"
    coded.mkdir()
    for path in write_ct_series(volume, plain, patient_code="P", namespace=NAMESPACE):
        subprocess.run(
            [*ENCODERS[syntax], str(path), str(coded / path.name)], check=True, capture_output=True
        )
    with quiet_pydicom():
        assert {pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in coded.iterdir()} == {syntax}
    (series,) = read_folder(coded).series
    (same,) = read_folder(plain).series
    np.testing.assert_array_equal(load_series(series).volume.array, load_series(same).volume.array)


@pytest.mark.parametrize(
    "syntax",
    [
        JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless,
        JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K, RLELossless,
    ],
    ids=lambda uid: uid.keyword,
)  # fmt: skip
def test_a_decoder_is_installed(syntax: str):
    assert get_decoder(syntax).is_available
