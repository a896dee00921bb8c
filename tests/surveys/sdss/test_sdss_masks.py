"""Spans of SDSS's mask planes, and which of our planes they become."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.coaddition.settings import CoaddSettings
from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import STANDARD_PLANES, bits_of, mask_schema
from cellcoadd.surveys.sdss import read_sdss_image
from cellcoadd.surveys.sdss.files import SdssFiles
from cellcoadd.surveys.sdss.masks import SDSS_PLANES, read_sdss_mask
from cellcoadd.testing.sdss_frames import MadeFrame, Spans, write_sdss_frame

SHAPE = (MadeFrame().rows, MadeFrame().columns)


def mask_file(folder: Path, spans: Spans) -> Path:
    return SdssFiles.of(write_sdss_frame(folder, spans=spans)).mask


def planes_at(bits: np.ndarray[tuple[int, int], np.dtype[np.int32]], y: int, x: int) -> set[str]:
    schema = mask_schema()
    return {name for name in STANDARD_PLANES if bits[y, x] & bits_of(schema, [name])}


@pytest.mark.parametrize("plane", SDSS_PLANES)
def test_spans_are_rows_with_first_and_last_column(tmp_path: Path, plane: str) -> None:
    """Counted from 0, both ends included; overlapping spans count once."""
    spans = [(3, 10, 12), (3, 12, 14), (119, 139, 139), (0, 0, 0)]
    bits = read_sdss_mask(mask_file(tmp_path, {plane: spans}), shape=SHAPE)
    expected = np.zeros(SHAPE, bool)
    for row, first, last in spans:
        expected[row, first : last + 1] = True
    np.testing.assert_array_equal(bits != 0, expected)
    assert planes_at(bits, 3, 12) == set(SDSS_PLANES[plane])


def test_unusable_pixels_are_kept_out_of_a_coadd_by_default() -> None:
    """A cosmic ray is interpolated by the survey, so INTERP keeps it out; sources are not."""
    keeping_out = set(CoaddSettings().bad_mask_planes)
    harmless = {"OBJECT", "BRIGHTOBJECT", "BINOBJECT", "CATOBJECT", "CR"}
    assert {name for name, ours in SDSS_PLANES.items() if not keeping_out & set(ours)} == harmless
    assert {plane for ours in SDSS_PLANES.values() for plane in ours} <= set(STANDARD_PLANES)


def test_rows_and_columns_at_the_edge_were_not_searched_but_are_data(tmp_path: Path) -> None:
    """NOTCHECKED is EDGE where it is whole rows and columns, else the middle of a bright star."""
    rows, columns = SHAPE
    spans = [(row, 0, 4) for row in range(rows)] + [(0, 0, columns - 1), (50, 60, 62)]
    bits = read_sdss_mask(mask_file(tmp_path, {"NOTCHECKED": spans}), shape=SHAPE)
    assert planes_at(bits, 30, 4) == {"EDGE"}
    assert planes_at(bits, 0, 70) == {"EDGE"}
    assert planes_at(bits, 50, 61) == {"SUSPECT", "BAD"}
    assert planes_at(bits, 30, 5) == set()


def test_planes_are_known_by_name_not_by_number(tmp_path: Path) -> None:
    """The file says which table is which plane."""
    path = mask_file(tmp_path, {"INTERP": [(1, 2, 3)], "CR": [(7, 8, 9)]})
    with fits.open(path, mode="update") as hdus:
        names = hdus[11].data["attributeName"]
        names[0], names[9] = "S_MASK_CR", "S_MASK_INTERP"
    bits = read_sdss_mask(path, shape=SHAPE)
    assert planes_at(bits, 1, 2) == {"CR"}
    assert planes_at(bits, 7, 8) == {"INTRP", "BAD"}


def test_a_plane_that_nobody_knows_is_bad(tmp_path: Path) -> None:
    """What it says of a pixel may be anything."""
    path = mask_file(tmp_path, {"GHOST": [(1, 2, 3)]})
    with fits.open(path, mode="update") as hdus:
        hdus[11].data["attributeName"][8] = "S_MASK_POLTERGEIST"
    assert planes_at(read_sdss_mask(path, shape=SHAPE), 1, 3) == {"BAD"}


@pytest.mark.parametrize("span", [(120, 0, 0), (-1, 0, 0), (0, -1, 3), (0, 5, 4), (0, 130, 140)])
def test_a_span_outside_of_the_frame_is_refused(tmp_path: Path, span: tuple[int, int, int]) -> None:
    """Whatever it is, the mask is not of this frame."""
    path = mask_file(tmp_path, {"SATUR": [span]})
    with pytest.raises(UnusableInputError, match=r"fpM.*span of its plane SATUR lies outside"):
        read_sdss_mask(path, shape=SHAPE)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    """Both sizes are in the message."""
    path = mask_file(tmp_path, {})
    with pytest.raises(UnusableInputError, match="120 rows and 140 columns, the frame has 120 and"):
        read_sdss_mask(path, shape=(120, 141))


def test_a_mask_without_names_of_planes_is_refused(tmp_path: Path) -> None:
    """It may have any order, so nothing is guessed."""
    path = tmp_path / "without.fit"
    with fits.open(mask_file(tmp_path, {})) as hdus:
        fits.HDUList(hdus[:11]).writeto(path)
    with pytest.raises(UnusableInputError, match="no table of the names of its planes"):
        read_sdss_mask(path, shape=SHAPE)


def test_a_mask_without_the_planes_that_matter_is_refused(tmp_path: Path) -> None:
    """Without INTERP, SATUR and CR it says nothing of what is bad."""
    path = mask_file(tmp_path, {})
    with fits.open(path, mode="update") as hdus:
        hdus[11].data["attributeName"][1] = "S_MASK_OTHER"
    with pytest.raises(UnusableInputError, match="with INTERP, SATUR and CR among them"):
        read_sdss_mask(path, shape=SHAPE)


def test_spans_that_are_fewer_than_stated_are_refused(tmp_path: Path) -> None:
    """A part of a mask would pass for all of it."""
    path = mask_file(tmp_path, {"CR": [(1, 2, 3)]})
    with fits.open(path, mode="update") as hdus:
        hdus[10].data["nspan"][0] = 2
    with pytest.raises(UnusableInputError, match="not as many as nspan says"):
        read_sdss_mask(path, shape=SHAPE)


def test_a_mask_that_covers_everything_makes_the_frame_unusable(tmp_path: Path) -> None:
    """Nothing of it could be in a coadd."""
    everything = [(row, 0, SHAPE[1] - 1) for row in range(SHAPE[0])]
    path = write_sdss_frame(tmp_path, spans={"INTERP": everything})
    with pytest.raises(UnusableInputError, match="every pixel is flagged"):
        read_sdss_image(path)
