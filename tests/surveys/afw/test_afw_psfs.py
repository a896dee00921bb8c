"""Point-spread functions of archives are drawn as their formulas say, or refused by name."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import galsim
import numpy as np
import numpy.typing as npt
import piff
import pytest
from astropy.io import fits
from lsst.images import Box
from lsst.images.psfs import GaussianPointSpreadFunction, PiffWrapper, PointSpreadFunction

from cellcoadd import CalibratedImage, read
from cellcoadd.errors import UnusableInputError
from cellcoadd.psfs.models import ImagePointSpreadFunction, PsfexPointSpreadFunction
from cellcoadd.surveys.afw.archive import Archive
from cellcoadd.surveys.afw.psf import read_psf
from cellcoadd.testing.afw_files import AfwArchive, add_psf
from cellcoadd.testing.images import make_detector, small_patch

BOUNDS = Box.factory[0:400, 0:300]
RNG = np.random.default_rng(3)


def psf_of(add: Callable[[AfwArchive], int]) -> PointSpreadFunction:
    """Write a PSF into an archive and read it."""
    made = AfwArchive()
    number = add(made)
    hdus = fits.HDUList([fits.PrimaryHDU(), *made.hdus()])
    archive = Archive(hdus, 1, "f.fits")
    return read_psf(archive, archive.get(number), bounds=BOUNDS)


def kept(folder: Path) -> PointSpreadFunction:
    """The PSF of an image that was written."""
    image = read(folder / "image.fits")
    assert isinstance(image, CalibratedImage)
    return image.psf


def assert_same_psf(one: PointSpreadFunction, other: PointSpreadFunction) -> None:
    for x, y in ((20.0, 30.0), (150.3, 399.8)):
        mine, theirs = (psf.compute_stellar_image(x=x, y=y) for psf in (one, other))
        assert mine.bbox == theirs.bbox
        assert np.abs(mine.array - theirs.array).max() < 1e-7 * theirs.array.max()


def fixed(archive: AfwArchive, pixels: npt.ArrayLike, centre: tuple[int, int]) -> int:
    array = np.array(pixels, np.float64)
    row = {
        "dimensions_x": array.shape[1],
        "dimensions_y": array.shape[0],
        "center_x": centre[0],
        "center_y": centre[1],
        "image": array.ravel(),
    }
    return archive.add("FixedKernel", [row])


def of_kernel(archive: AfwArchive, kernel: int, name: str = "KernelPsf") -> int:
    row = {"kernel": kernel, "averagePosition_x": 1.0, "averagePosition_y": 1.0}
    return archive.add(name, [row])


def test_psfex_is_the_sum_of_its_terms(tmp_path: Path) -> None:
    """At the sampling of the image the model is drawn as it is: no interpolation in between."""
    terms = RNG.random((6, 9, 7)).astype(np.float32)

    def add(archive: AfwArchive) -> int:
        head = {"ndim": 2, "ngroup": 1, "ncoeff": 6, "_pixstep": 1.0}
        body = {
            "degree": 2,
            "_size": np.array([7, 9, 6], np.int32),
            "_comp": terms.ravel(),
            "_context_first": np.array([100.0, 50.0]),
            "_context_second": np.array([300.0, 400.0]),
        }
        return archive.add("PsfexPsf", [head], [body])

    psf = psf_of(add)
    assert isinstance(psf, PsfexPointSpreadFunction)
    u, v = (130.0 - 100.0) / 300.0, (250.0 - 50.0) / 400.0
    expected = np.tensordot([1, u, u**2, v, u * v, v**2], terms, axes=1)
    drawn = psf.compute_kernel_image(x=130.0, y=250.0).array
    assert drawn == pytest.approx(expected / expected.sum(), rel=1e-6)


def test_gaussians_are_gaussians() -> None:
    """Of one width, and of two, whose second part is a share of the first's peak."""
    row = {"dimensions_x": 20, "dimensions_y": 20, "sigma": 2.5}
    single = psf_of(lambda archive: archive.add("SingleGaussianPsf", [row]))
    assert isinstance(single, GaussianPointSpreadFunction)
    assert (single.sigma, single.kernel_bbox.shape) == (2.5, (21, 21))
    double = psf_of(
        lambda archive: archive.add(
            "DoubleGaussianPsf",
            [{"dimensions_x": 25, "dimensions_y": 27, "sigma1": 1.5, "sigma2": 4.0, "b": 0.1}],
        )
    )
    y, x = np.mgrid[-13:14, -12:13]
    expected = np.exp(-(x**2 + y**2) / 4.5) + 0.1 * np.exp(-(x**2 + y**2) / 32.0)
    drawn = double.compute_kernel_image(x=3.0, y=4.0).array
    assert drawn == pytest.approx(expected / expected.sum(), rel=1e-12)


def test_a_fixed_kernel_is_centred_where_it_says() -> None:
    """What lacks on the other side is zero."""
    pixels = RNG.random((6, 5))
    psf = psf_of(lambda archive: of_kernel(archive, fixed(archive, pixels, (1, 3))))
    assert isinstance(psf, ImagePointSpreadFunction)
    drawn = psf.compute_kernel_image(x=0.0, y=0.0)
    assert drawn.array.shape == (7, 7)
    assert drawn.array[:6, 2:] == pytest.approx(pixels / pixels.sum())
    assert drawn.array[3 - drawn.bbox.y.min - 3, -drawn.bbox.x.min] == pytest.approx(
        pixels[3, 1] / pixels.sum()
    )
    assert np.count_nonzero(drawn.array) == 30


@pytest.mark.parametrize("kind", ["PolynomialFunction2D", "Chebyshev1Function2D"])
def test_principal_components_are_weighted_by_functions_of_the_position(
    kind: str, tmp_path: Path
) -> None:
    """Order of the terms: 1, x, y, x^2, xy, y^2; Chebyshev polynomials on their own box."""
    images = RNG.random((3, 7, 7)) + 1.0
    coefficients = [[1.0, 0.001, 0.002, 1e-6, 2e-6, 3e-6], [0.5, 0.01, -0.002], [0.1]]
    box = {"min_x": 10.0, "min_y": -20.0, "max_x": 300.0, "max_y": 420.0}

    def function(archive: AfwArchive, terms: list[float]) -> int:
        row: dict[str, Any] = {"coefficients": np.array(terms)}
        return archive.add(kind, [row | box if kind.startswith("Cheb") else row])

    def add(archive: AfwArchive) -> int:
        row = {
            "dimensions_x": 7,
            "dimensions_y": 7,
            "center_x": 3,
            "center_y": 3,
            "components": np.array([fixed(archive, one, (3, 3)) for one in images], np.int32),
            "spatialfunctions": np.array([function(archive, c) for c in coefficients], np.int32),
        }
        return of_kernel(archive, archive.add("LinearCombinationKernel", [row]), "PcaPsf")

    psf = psf_of(add)
    x, y = 120.0, 333.0
    u, v = x, y
    powers: list[Callable[[float], float]] = [lambda t: t**0, lambda t: t, lambda t: t**2]
    if kind.startswith("Cheb"):
        u, v = 2.0 * (x - 155.0) / 290.0, 2.0 * (y - 200.0) / 440.0
        powers[2] = lambda t: 2.0 * t**2 - 1.0
    pairs = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)]
    weights = [
        sum(c * powers[i](u) * powers[j](v) for c, (i, j) in zip(terms, pairs, strict=False))
        for terms in coefficients
    ]
    expected = np.tensordot(weights, images, axes=1)
    drawn = psf.compute_kernel_image(x=x, y=y).array
    assert drawn == pytest.approx(expected / expected.sum(), rel=1e-9)
    make_detector(small_patch(), psf=psf).write(tmp_path / "image.fits")
    assert_same_psf(kept(tmp_path), psf)


def test_an_analytic_kernel_is_a_gaussian_that_is_turned() -> None:
    """Its long axis lies along the angle, from x to y."""

    def add(archive: AfwArchive) -> int:
        row = {"sigma1": 3.0, "sigma2": 1.5, "angle": np.pi / 2}
        function = archive.add("GaussianFunction2D", [row])
        kernel = {"dimensions_x": 21, "dimensions_y": 21, "kernelfunction": function}
        return of_kernel(archive, archive.add("AnalyticKernel", [kernel]))

    drawn = psf_of(add).compute_kernel_image(x=0.0, y=0.0).array
    y, x = np.mgrid[-10:11, -10:11]
    expected = np.exp(-0.5 * ((y / 3.0) ** 2 + (x / 1.5) ** 2))
    assert drawn == pytest.approx(expected / expected.sum(), rel=1e-9, abs=1e-15)


def piff_grid(**changes: Any) -> PiffWrapper:
    """A PSF of Piff like those of DP1: a grid of pixels, polynomials of the position."""
    size, keys = 15, changes.pop("keys", ("u", "v"))
    model = piff.PixelGrid(0.2, size, interp=galsim.Lanczos(11), centered=False)
    interp = piff.BasisPolynomial(changes.pop("order", (2, 1)), keys=keys, max_order=2)
    terms = np.count_nonzero(interp._mask)
    y, x = np.mgrid[-7:8, -7:8]
    round_ = np.exp(-0.5 * (x**2 + y**2) / 2.0**2).ravel()
    interp.q = round_[:, np.newaxis] * (RNG.random((size * size, terms)) * 1e-4)
    interp.q[:, 0] += round_
    psf = piff.SimplePSF(model, interp, outliers=changes.pop("outliers", None))
    psf.wcs, psf.pointing = {0: galsim.PixelScale(0.2)}, None
    psf.stars = []
    return PiffWrapper(psf, BOUNDS, 25)


@pytest.mark.parametrize("keys", [("u", "v"), ("x", "y")])
def test_piff_out_of_a_pickle_draws_as_piff(keys: tuple[str, str], tmp_path: Path) -> None:
    """At whole and fractional positions, bit for bit; and it can be stored as ever."""
    original = piff_grid(keys=keys, outliers=piff.ChisqOutliers(prob=1e-4))
    psf = psf_of(lambda archive: add_psf(archive, original))
    assert isinstance(psf, PiffWrapper)
    assert psf is not original
    for x, y in ((0.0, 0.0), (20.3, 77.7), (299.5, 399.5)):
        mine, theirs = (one.compute_stellar_image(x=x, y=y) for one in (psf, original))
        assert mine.bbox == theirs.bbox
        assert (mine.array == theirs.array).all()
    make_detector(small_patch(), psf=psf).write(tmp_path / "image.fits")
    assert_same_psf(kept(tmp_path), original)


def pickled(value: Any) -> Callable[[AfwArchive], int]:
    data = pickle.dumps(value, protocol=4)
    return lambda archive: archive.add("PiffPsf", [{"bytes": data}])


class _Wrapped:
    """Stands for a transform of afw in a pickle."""


def bad_piffs() -> dict[str, tuple[Any, str]]:
    """What is pickled, and why it is refused."""
    good = piff_grid().piff_psf
    chromatic = piff_grid(keys=("u", "v", "colorValue"), order=(1, 1, 1)).piff_psf
    pointed = piff_grid().piff_psf
    pointed.pointing = galsim.CelestialCoord(1.0 * galsim.degrees, 2.0 * galsim.degrees)
    transformed = piff_grid().piff_psf
    transformed.wcs = {0: _Wrapped()}
    short = piff_grid().piff_psf
    short.interp.q = short.interp.q[:, :-1]
    nan = piff_grid().piff_psf
    nan.interp.q[3, 1] = np.nan
    moffat = piff.SimplePSF(piff.Moffat(2.5), piff.Mean())
    return {
        "chromatic": ((25, 25, chromatic), "depends on u, v, colorValue"),
        "pointing": ((25, 25, pointed), "is not allowed"),
        "a transform": ((25, 25, transformed), "_Wrapped, which is not allowed"),
        "short": ((25, 25, short), "coefficients must be 225 x"),
        "nan": ((25, 25, nan), "coefficients must be 225 x"),
        "moffat": ((25, 25, moffat), "piff.gsobject_model.Moffat, which is not allowed"),
        "oblong": ((25, 27, good), "images have 25 x 27"),
        "huge": ((100_001, 100_001, good), "images have 100001"),
        "no PSF": ((25, 25, [1, 2]), "a SimplePSF is expected, a list is there"),
        "a number": (17, "must be width, height and PSF"),
    }


@pytest.mark.parametrize("what", bad_piffs())
def test_what_piff_has_beside_grids_of_pixels_is_refused(what: str) -> None:
    """By the name of the file, with the way out."""
    value, reason = bad_piffs()[what]
    with pytest.raises(UnusableInputError, match=reason) as caught:
        psf_of(pickled(value))
    assert str(caught.value).startswith("f.fits: its PSF of Piff ")
    assert "given as a CalibratedImage" in str(caught.value)


def nameless(name: str) -> Callable[[AfwArchive], int]:
    return lambda archive: archive.add(name, [{"a": 1}])


def test_other_kinds_are_refused_by_name() -> None:
    """The PSF of a coadd is none of an image."""
    for name, reason in (("CoaddPsf", "coadd was made of"), ("MyPsf", "PsfexPsf, PiffPsf")):
        with pytest.raises(UnusableInputError, match=rf"its PSF is a {name}.*{reason}"):
            psf_of(nameless(name))


def test_broken_ones_are_refused_by_name() -> None:
    """Numbers that are impossible, columns that are not there."""
    row = {"dimensions_x": 20, "dimensions_y": 20, "sigma": -1.0}
    with pytest.raises(UnusableInputError, match="a GaussianPsf, is broken"):
        psf_of(lambda archive: archive.add("GaussianPsf", [row]))
    with pytest.raises(UnusableInputError, match="its GaussianPsf has no column dimensions"):
        psf_of(lambda archive: archive.add("GaussianPsf", [{"sigma": 1.0}]))
    with pytest.raises(UnusableInputError, match="has its centre at 9, 1"):
        psf_of(lambda archive: of_kernel(archive, fixed(archive, np.ones((5, 5)), (9, 1))))
    with pytest.raises(UnusableInputError, match="a MyKernel that cannot be read"):
        psf_of(lambda archive: of_kernel(archive, archive.add("MyKernel", [{"a": 1}])))
