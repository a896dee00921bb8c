"""Building, showing and storing a calibrated image."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import astropy.units as u
import galsim
import numpy as np
import piff
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from lsst.images import (
    Background,
    BackgroundMap,
    Box,
    DetectorFrame,
    Image,
    Mask,
    MaskedImage,
    SkyProjection,
)
from lsst.images.fields import ChebyshevField, Field, SplineField, SumField
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction
from lsst.images.serialization import (
    InvalidComponentError,
    InvalidParameterError,
    open_archive,
    read_archive,
    write_archive,
)

from cellcoadd.masks.planes import bits_of, mask_schema, plane_array
from cellcoadd.products.calibrated_image import CalibratedImage, ImageQuality
from cellcoadd.products.identifiers import ObservationIdentifiers
from cellcoadd.psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction

BOX = Box.factory[5:65, 3:83]
PART = Box.factory[10:20, 12:40]


def piff_psf() -> PiffWrapper:
    interpolation = piff.BasisPolynomial(order=0)
    interpolation.q = np.array([[2.0], [0.05], [0.0]])
    psf = piff.SimplePSF(piff.Moffat(2.5, include_pixel=False), interpolation)
    psf.wcs, psf.pointing, psf.bandpass = {0: galsim.PixelScale(1.0)}, None, None
    psf.stars = []
    return PiffWrapper(psf, bounds=BOX, stamp_size=21)


PSFS: dict[str, PointSpreadFunction] = {
    "gaussian": GaussianPointSpreadFunction(2.0, BOX, 21),
    "image": ImagePointSpreadFunction(np.ones((5, 7)), bounds=BOX),
    "psfex": PsfexPointSpreadFunction(
        np.random.default_rng(3).uniform(1, 2, (3, 15, 15)),
        degree=1,
        x_zero=1.0,
        y_zero=2.0,
        x_scale=300.0,
        y_scale=400.0,
        sampling=1.0,
        bounds=BOX,
    ),
    "piff": piff_psf(),
}


def make_image(psf: PointSpreadFunction, **changes: Any) -> CalibratedImage:
    rng = np.random.default_rng(7)
    shape = (BOX.y.size, BOX.x.size)
    image = rng.normal(size=shape).astype(np.float32)
    variance = rng.uniform(1, 2, size=shape).astype(np.float32)
    image[1, 2], variance[3, 4] = np.nan, np.inf
    mask = Mask(0, schema=mask_schema({"ODD": "A plane of somebody's own."}), bbox=BOX)
    plane_array(mask)[3, 4] = bits_of(mask.schema, ["BAD", "ODD"])
    wcs = WCS(
        {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CRVAL1": 10.0,
            "CRVAL2": 2.0,
            "CRPIX1": 5.0,
            "CRPIX2": 6.0,
            "CDELT1": -5e-5,
            "CDELT2": 5e-5,
        }
    )
    frame = DetectorFrame(instrument="Cam", visit=1, detector=2, bbox=BOX)
    planes = MaskedImage(
        Image(image, bbox=BOX),
        mask=mask,
        variance=Image(variance, bbox=BOX),
        sky_projection=SkyProjection.from_fits_wcs(wcs, frame, x0=3, y0=5),
    )
    planes.metadata = {"origin": "made up"}
    values: dict[str, Any] = {
        "observation": ObservationIdentifiers(
            instrument="Cam", visit=1, detector=2, physical_filter="r 1", band="r", day_obs=20250101
        ),
        "masked_image": planes,
        "psf": psf,
        "nanojansky_per_count": 2.5,
        "mean_variance": 1.5,
        "quality": ImageQuality(psf_sigma=2.0, n_psf_star=12),
    }
    return CalibratedImage(**(values | changes))


def background_models() -> BackgroundMap:
    """Two of them, one a sum of two splines that are too large to be stored inline."""
    nodes = np.linspace(3.0, 82.0, 12)
    splines = [
        SplineField(BOX, np.random.default_rng(n).normal(size=(12, 12)), y=nodes, x=nodes)
        for n in range(2)
    ]
    return BackgroundMap(
        [
            Background("old", SumField(splines), "What the survey took out."),
            Background("new", ChebyshevField(BOX, np.array([[3.0, 0.5]]), unit=u.electron)),
        ],
        subtracted="old",
    )


def correction_fields() -> dict[str, Field]:
    first, second = (ChebyshevField(BOX, np.array([[0.9, 0.01 * n]])) for n in range(2))
    return {"base_PsfFlux_instFlux": first, "base_PsfFlux_instFluxErr": second}


def assert_same(ours: CalibratedImage, theirs: CalibratedImage, box: Box) -> None:
    assert theirs.bbox == box
    for plane in ("image", "variance"):
        pixels = [getattr(x.masked_image, plane)[box].array for x in (ours, theirs)]
        assert pixels[0].dtype == pixels[1].dtype == np.float32
        assert pixels[0].tobytes() == pixels[1].tobytes()
    masks = [plane_array(x.masked_image.mask[box]) for x in (ours, theirs)]
    assert (masks[0] == masks[1]).all()
    assert ours.masked_image.mask.schema == theirs.masked_image.mask.schema
    assert ours.sky_projection == theirs.sky_projection
    for field in ("observation", "nanojansky_per_count", "mean_variance", "quality"):
        assert getattr(ours, field) == getattr(theirs, field)
    assert dict(theirs.masked_image.metadata.native) == {"origin": "made up"}
    stamps = [x.psf.compute_stellar_image(x=20.3, y=30.7) for x in (ours, theirs)]
    assert stamps[0].bbox == stamps[1].bbox
    assert stamps[0].array == pytest.approx(stamps[1].array, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("kind", PSFS)
def test_image_is_the_same_after_storing(kind: str, tmp_path: Path) -> None:
    """A repository hands tasks what the survey reader made, NaN, inf and all."""
    image = make_image(PSFS[kind])
    path = tmp_path / "image.fits"
    write_archive(image, path)
    assert_same(image, read_archive(str(path), CalibratedImage), BOX)


def test_corrections_and_backgrounds_are_the_same_after_storing(tmp_path: Path) -> None:
    """Every kind of field, its unit, and which background is subtracted."""
    image = make_image(
        PSFS["gaussian"], aperture_corrections=correction_fields(), backgrounds=background_models()
    )
    path = tmp_path / "image.fits"
    write_archive(image, path)
    for read in (
        read_archive(str(path), CalibratedImage),
        read_archive(str(path), CalibratedImage, bbox=PART),
    ):
        assert read.aperture_corrections == correction_fields()
        assert dict(read.backgrounds) == dict(background_models())
        subtracted = read.backgrounds.subtracted
        assert subtracted is not None
        assert subtracted.name == "old"
    with open_archive(str(path), CalibratedImage) as reader:
        assert reader.get_component("aperture_corrections") == correction_fields()
        assert set(reader.get_component("backgrounds")) == {"old", "new"}


def test_a_part_can_be_read_by_its_box(tmp_path: Path) -> None:
    """Pixels keep their coordinates, so that WCS and PSF stay right."""
    image = make_image(PSFS["psfex"])
    path = tmp_path / "image.fits"
    write_archive(image, path)
    assert_same(image, read_archive(str(path), CalibratedImage, bbox=PART), PART)


def test_components_can_be_read_alone(tmp_path: Path) -> None:
    """What registers or selects images must not read their pixels."""
    image = make_image(PSFS["psfex"])
    path = tmp_path / "image.fits"
    write_archive(image, path)
    with open_archive(str(path), CalibratedImage) as reader:
        assert reader.get_component("observation") == image.observation
        assert reader.get_component("quality") == image.quality
        assert reader.get_component("bbox") == BOX
        assert reader.get_component("sky_projection") == image.sky_projection
        assert isinstance(reader.get_component("psf"), PsfexPointSpreadFunction)
        assert reader.get_component("masked_image", bbox=PART).bbox == PART
        assert reader.get_component("variance", bbox=PART).bbox == PART
        with pytest.raises(InvalidParameterError, match="read whole"):
            reader.get_component("psf", bbox=PART)
        with pytest.raises(InvalidParameterError, match="nonsense"):
            reader.read(nonsense=1)
        with pytest.raises(InvalidComponentError):
            reader.get_component("nonsense")


def test_file_opens_with_its_planes_first(tmp_path: Path) -> None:
    """Viewers show the first extension; it must be the image, then its mask and variance."""
    path = tmp_path / "image.fits"
    write_archive(make_image(PSFS["gaussian"]), path)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:4]] == ["IMAGE", "MASK", "VARIANCE"]


def test_unknown_psf_is_refused_when_storing(tmp_path: Path) -> None:
    """The message names the image, the type, and the types that work."""

    class Unknown(ImagePointSpreadFunction.__base__):  # type: ignore[misc, name-defined]
        bounds = kernel_bbox = BOX

        def compute_kernel_image(self, *, x: float, y: float) -> Image:
            raise NotImplementedError

        compute_stellar_image = compute_kernel_image
        compute_stellar_bbox = compute_kernel_image

    with pytest.raises(TypeError, match=r"Cam visit 1 detector 2.*Unknown.*PsfexPointSpread"):
        write_archive(make_image(Unknown()), tmp_path / "image.fits")


def test_repr_says_which_image_it_is() -> None:
    """A person in a notebook sees the observation, the size, the calibration and the PSF."""
    text = repr(make_image(PSFS["gaussian"]))
    for part in ("Cam visit 1 detector 2 (r)", "80 x 60 px", "2.5 nJy", "Gaussian"):
        assert part in text


def test_calibration_must_be_positive() -> None:
    """A count of no flux would make an endless weight."""
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="flux of one count"):
            make_image(PSFS["gaussian"], nanojansky_per_count=value)


def test_image_without_wcs_is_refused() -> None:
    """Nothing can be warped without it."""
    image = make_image(PSFS["gaussian"])
    planes = image.masked_image
    bare = MaskedImage(
        Image(planes.image.array, bbox=BOX),
        mask=Mask(0, schema=mask_schema(), bbox=BOX),
        variance=Image(planes.variance.array, bbox=BOX),
    )
    with pytest.raises(ValueError, match="no WCS"):
        dataclasses.replace(image, masked_image=bare)
