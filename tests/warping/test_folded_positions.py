"""A distortion that folds: positions beyond the fold land on the detector, and are no data."""

from __future__ import annotations

import astropy.wcs
import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import MaskedImage, SkyProjection

from cellcoadd.errors import UnusableInputError
from cellcoadd.kernels.positions import node_indices
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys.checks import check_projection
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.positions import TractToDetector
from cellcoadd.warping.settings import WarpSettings

type Floats = npt.NDArray[np.float64]

PATCH = small_patch()
WIDTH, HEIGHT = 60, 60  # half the diagonal is 42 pixels


def folding(radius: float, *, turn: float = 45.0) -> CalibratedImage:
    """A detector whose distortion, of the third order, turns back at a radius in pixels."""
    flat = make_detector(PATCH, width=WIDTH, height=HEIGHT, rotation=turn)
    middle = flat.sky_projection.pixel_to_sky(x=0.5 * (WIDTH - 1), y=0.5 * (HEIGHT - 1))
    wcs = astropy.wcs.WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    wcs.wcs.crval = [middle.ra.deg, middle.dec.deg]
    wcs.wcs.crpix = [0.5 * (WIDTH + 1), 0.5 * (HEIGHT + 1)]
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = 0.2 / 3600.0 * np.array([[-cosine, sine], [sine, cosine]])
    terms = np.zeros((4, 4))
    terms[3, 0] = terms[1, 2] = -1.0 / (3.0 * radius**2)
    wcs.sip = astropy.wcs.Sip(terms, terms.T, None, None, wcs.wcs.crpix)
    projection = SkyProjection.from_fits_wcs(wcs, flat.sky_projection.pixel_frame)
    old = flat.masked_image[...]
    planes = MaskedImage(
        old.image.copy(), mask=old.mask, variance=old.variance, sky_projection=projection
    )
    return make_detector(PATCH, width=WIDTH, height=HEIGHT, rotation=turn, masked_image=planes)


def test_positions_beyond_a_fold_land_nowhere() -> None:
    """All nodes that land on the detector come from where its pixels are; ghosts did not."""
    image = folding(46.0)
    transform = TractToDetector(
        tract=PATCH.sky_projection, detector=image.sky_projection, source="f1"
    )
    box = PATCH.outer_bbox
    x, y = np.meshgrid(box.x.arange + 0.0, box.y.arange + 0.0)
    folded = transform.to_detector(x=x.ravel(), y=y.ravel())
    found = transform.nodes(box, spacing=1)
    kept = on_detector(found.x, found.y)
    back = PATCH.sky_projection.sky_to_pixel(
        image.sky_projection.pixel_to_sky(x=found.x[kept], y=found.y[kept])
    )
    wanted_x, wanted_y = np.meshgrid(
        node_indices(box.x.start, box.x.stop, 1), node_indices(box.y.start, box.y.stop, 1)
    )
    assert np.abs(back.x - wanted_x[kept]).max() <= 0.1
    assert np.abs(back.y - wanted_y[kept]).max() <= 0.1
    assert kept.sum() < WIDTH * HEIGHT
    assert on_detector(folded.x, folded.y).sum() > 1.2 * kept.sum(), "there are ghosts to be found"


def on_detector(x: Floats, y: Floats) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (np.abs(x - 29.5) < 29.5) & (np.abs(y - 29.5) < 29.5)
    return inside


def test_a_distortion_that_folds_within_the_detector_is_refused() -> None:
    """Then two of its pixels are at one place on the sky."""
    image = folding(36.0)
    with pytest.raises(UnusableInputError, match="way back from the sky"):
        check_projection(image.sky_projection, image.bbox, "f1")


def test_a_warp_has_no_ghosts() -> None:
    """What a folding image covers lies in its outline, from edge to edge."""
    image = folding(46.0)
    made = make_direct_warp([image], PATCH, settings=WarpSettings())
    assert made is not None
    planes = made.warp.masked_image
    rows, columns = np.nonzero(np.isfinite(planes.image.array))
    outline = TractToDetector(
        tract=PATCH.sky_projection, detector=image.sky_projection, source="f1"
    ).footprint(image.bbox)
    assert outline is not None
    inside = outline.contains(
        x=columns + planes.bbox.x.start + 0.0, y=rows + planes.bbox.y.start + 0.0
    )
    assert np.all(inside)
    assert rows.size > 500
