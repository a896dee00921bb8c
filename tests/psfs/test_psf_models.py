"""PSFEx models and constant images as point-spread functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from lsst.images import Box
from lsst.images.psfs import PointSpreadFunction
from lsst.images.serialization import (
    InvalidParameterError,
    public_type_for_schema,
    read_archive,
    write_archive,
)

from cellcoadd.psfs.models import (
    ImagePointSpreadFunction,
    PsfexPointSpreadFunction,
    psfex_term_count,
)

BOUNDS = Box.factory[0:400, 0:200]
SIGMA = 2.0


def gaussian(
    half: int, *, step: float = 1.0, x: float = 0.0, y: float = 0.0
) -> npt.NDArray[np.float64]:
    """A Gaussian of SIGMA image pixels sampled every `step`, of unit sum."""
    offsets = np.arange(-half, half + 1) * step
    pixels = np.exp(-((offsets[:, None] - y) ** 2 + (offsets - x) ** 2) / (2 * SIGMA**2))
    result: npt.NDArray[np.float64] = pixels / pixels.sum()
    return result


def psfex(
    basis: npt.NDArray[Any], *, degree: int, sampling: float = 1.0
) -> PsfexPointSpreadFunction:
    return PsfexPointSpreadFunction(
        basis,
        degree=degree,
        x_zero=100.0,
        y_zero=200.0,
        x_scale=100.0,
        y_scale=200.0,
        sampling=sampling,
        bounds=BOUNDS,
    )


def test_polynomial_terms_are_in_the_order_of_psfex() -> None:
    """With one pixel of each basis image lit, the kernel shows the six terms 1 X X2 Y XY Y2."""
    basis = np.zeros((6, 3, 3))
    basis[0, 0, 0] = 1.0
    for term, (row, column) in enumerate([(0, 1), (0, 2), (1, 0), (1, 1), (1, 2)], start=1):
        basis[term, row, column] = 1.0
    u, v = 0.5, 0.25
    pixels = psfex(basis, degree=2).compute_kernel_image(x=150.0, y=250.0).array
    terms = np.array([1, u, u**2, v, u * v, v**2])
    assert pixels.ravel()[:6] == pytest.approx(terms / terms.sum(), rel=1e-6)


def test_a_constant_model_is_its_image_of_unit_sum() -> None:
    """Degree 0: position and normalisation of the file do not matter."""
    model = psfex(3.7 * gaussian(12)[np.newaxis], degree=0)
    pixels = model.compute_kernel_image(x=-500.0, y=1e4).array
    assert pixels == pytest.approx(gaussian(12), rel=1e-6)
    assert pixels.sum() == pytest.approx(1.0, abs=1e-14)
    assert model.kernel_bbox == Box.factory[-12:13, -12:13]


@pytest.mark.parametrize("sampling", [0.5, 0.7, 1.3])
def test_a_model_of_other_sampling_is_drawn_at_the_pixels_of_the_image(sampling: float) -> None:
    """PSF_SAMP is the size of a model pixel in image pixels, and a Gaussian says which is which.

    The window of the Lanczos-4 kernel errs by 0.003 of the peak; a wrong scale would by 0.5.
    """
    half = round(12 / sampling)
    model = psfex(gaussian(half, step=sampling)[np.newaxis], degree=0, sampling=sampling)
    kernel = model.compute_kernel_image(x=0, y=0)
    expected = gaussian(kernel.bbox.x.max)
    assert kernel.bbox.x.max == pytest.approx(12, abs=1)
    assert np.abs(kernel.array - expected).max() < 3e-3 * expected.max()


@pytest.mark.parametrize("sampling", [0.5, 1.0])
def test_star_image_has_the_light_where_the_star_is(sampling: float) -> None:
    """The centroid of a symmetric PSF drawn at a position is that position.

    But for the first moment of the Lanczos kernels, which errs by 0.0116 px (order 5) and, in
    pixels of the finer model, 0.0146 px (order 4).
    """
    half = round(14 / sampling)
    model = psfex(gaussian(half, step=sampling)[np.newaxis], degree=0, sampling=sampling)
    for x, y in ((10.0, 20.0), (10.3, 19.6), (-4.5, 7.5)):
        image = model.compute_stellar_image(x=x, y=y)
        assert image.bbox == model.compute_stellar_bbox(x=x, y=y)
        assert (image.array.sum(axis=0) @ image.bbox.x.arange) == pytest.approx(x, abs=0.012)
        assert (image.array.sum(axis=1) @ image.bbox.y.arange) == pytest.approx(y, abs=0.012)
        assert image.array.sum() == pytest.approx(1.0, abs=1e-6)


def test_broken_models_are_refused() -> None:
    """What would give a wrong or endless PSF later is an error when it is built."""
    with pytest.raises(ValueError, match="degree 2 has 6 images"):
        psfex(np.ones((5, 3, 3)), degree=2)
    with pytest.raises(ValueError, match="finite"):
        psfex(np.full((1, 3, 3), np.nan), degree=0)
    with pytest.raises(ValueError, match="sampling"):
        psfex(np.ones((1, 3, 3)), degree=0, sampling=0.0)
    with pytest.raises(ValueError, match="positive sum"):
        psfex(-np.ones((1, 3, 3)), degree=0).compute_kernel_image(x=0, y=0)
    with pytest.raises(ValueError, match="odd"):
        ImagePointSpreadFunction(np.ones((4, 5)), bounds=BOUNDS)
    with pytest.raises(ValueError, match="positive sum"):
        ImagePointSpreadFunction(np.zeros((5, 5)), bounds=BOUNDS)


def test_image_psf_is_the_same_everywhere_and_cannot_be_changed_from_outside() -> None:
    """Callers scale the images that they get; the next caller must not see that."""
    psf = ImagePointSpreadFunction(5 * gaussian(7), bounds=BOUNDS)
    first = psf.compute_kernel_image(x=1, y=2)
    first.array *= 0
    again = psf.compute_kernel_image(x=50, y=60).array
    assert again == pytest.approx(gaussian(7), rel=1e-12)
    assert psf.compute_stellar_image(x=3.25, y=4.5).bbox == psf.compute_stellar_bbox(x=3.25, y=4.5)
    assert psf.bounds == BOUNDS


def test_number_of_terms_is_that_of_a_polynomial_in_two_variables() -> None:
    """1, 3, 6, 10: one more for each degree."""
    assert [psfex_term_count(degree) for degree in range(4)] == [1, 3, 6, 10]


@pytest.mark.parametrize(
    "psf",
    [
        ImagePointSpreadFunction(gaussian(7), bounds=BOUNDS),
        psfex(np.random.default_rng(1).uniform(1, 2, (6, 9, 11)), degree=2, sampling=0.8),
    ],
    ids=["image", "psfex"],
)
@pytest.mark.parametrize("suffix", [".fits", ".json"])
def test_models_are_the_same_after_storing(
    psf: PointSpreadFunction, suffix: str, tmp_path: Path
) -> None:
    """A file is another way to hold the same object, to the last bit."""
    path = tmp_path / f"psf{suffix}"
    tree = write_archive(psf, path)
    again = read_archive(str(path), type(psf))
    assert again.bounds == psf.bounds
    stars = [model.compute_stellar_image(x=33.3, y=44.4) for model in (psf, again)]
    assert (stars[0].array == stars[1].array).all()
    assert public_type_for_schema(tree.SCHEMA_NAME) is type(psf)
    with pytest.raises(InvalidParameterError, match="read whole"):
        read_archive(str(path), type(psf), bbox=BOUNDS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_a_model_keeps_double_precision_if_it_is_given_that(dtype: type[np.generic]) -> None:
    """PSFEx writes single precision; a model that was computed is exact to the last digits."""
    basis = np.array([[[1, 2, 1], [2, 7, 2], [1, 2, 1]]]).astype(dtype)
    third = (basis / np.asarray(3, dtype)).astype(dtype)
    drawn = psfex(third, degree=0).compute_kernel_image(x=5.0, y=6.0).array
    kept = third.astype(np.float64 if dtype is np.float64 else np.float32).astype(np.float64)[0]
    np.testing.assert_allclose(drawn, kept / kept.sum(), rtol=0, atol=1e-16)
