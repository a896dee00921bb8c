"""Point-spread functions that need nothing but numpy: PSFEx models and constant images.

Survey readers make them, warping evaluates them. Both are `lsst.images` PSFs and can be stored in
any file that holds one.
"""

from __future__ import annotations

__all__ = [
    "ImagePointSpreadFunction",
    "ImagePsfModel",
    "PsfexPointSpreadFunction",
    "PsfexPsfModel",
    "lanczos_matrix",
    "psfex_term_count",
]

import math
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pydantic
from lsst.images import YX, Box, Image
from lsst.images.psfs import PointSpreadFunction
from lsst.images.serialization import (
    ArrayReferenceModel,
    InlineArrayModel,
    InputArchive,
    InvalidParameterError,
    OutputArchive,
)

from ..files.archive_schema import ProductTree
from .stamp_shift import place_stamp, stellar_box

_PSFEX_ORDER = 4  # PSFEx fits and draws its oversampled models with Lanczos-4


def psfex_term_count(degree: int) -> int:
    """Return the number of terms of a polynomial of this degree in x and y."""
    return (degree + 1) * (degree + 2) // 2


class ImagePointSpreadFunction(PointSpreadFunction):
    """A point-spread function that is the same image everywhere.

    Parameters
    ----------
    kernel : (rows, columns)
        The image, its middle pixel the centre of the PSF; both sizes odd. It is divided by its sum.
    bounds
        The pixels where it is valid.

    Raises
    ------
    ValueError
        If a size is even, a pixel is not finite, or the sum is not positive.

    Examples
    --------
    >>> kernel = [[0.0, 1.0, 0.0], [1.0, 4.0, 1.0], [0.0, 1.0, 0.0]]
    >>> psf = ImagePointSpreadFunction(kernel, bounds=Box.factory[0:100, 0:100])
    >>> star = psf.compute_stellar_image(x=20.0, y=50.0)
    >>> print(star.bbox)
    [y=49:52, x=19:22]
    >>> star.array
    array([[0.   , 0.125, 0.   ],
           [0.125, 0.5  , 0.125],
           [0.   , 0.125, 0.   ]])
    """

    def __init__(self, kernel: npt.ArrayLike, *, bounds: Box) -> None:
        pixels = np.array(kernel, dtype=np.float64)
        if pixels.ndim != 2 or pixels.shape[0] % 2 == 0 or pixels.shape[1] % 2 == 0:
            raise ValueError(
                f"A PSF image needs odd numbers of rows and columns, got {pixels.shape}."
            )
        self._kernel = _normalised(pixels)
        self._bounds = bounds

    @property
    def bounds(self) -> Box:
        """The pixels where the model is valid."""
        return self._bounds

    @property
    def kernel_bbox(self) -> Box:
        """The box of the kernel image, centred on (0, 0)."""
        return _centred_box(*self._kernel.shape)

    def compute_kernel_image(self, *, x: float, y: float) -> Image:  # noqa: ARG002
        """Return the image centred on pixel (0, 0)."""
        return Image(self._kernel.copy(), bbox=self.kernel_bbox)

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        """Return the image of a star at a position."""
        return place_stamp(self.compute_kernel_image(x=x, y=y), x=x, y=y)

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        """Return the box of the image of a star at a position."""
        return stellar_box(self.kernel_bbox, x=x, y=y)

    def serialize(self, archive: OutputArchive[Any]) -> ImagePsfModel:
        """Write the kernel to an archive."""
        kernel = archive.add_array(self._kernel, name="constant_kernel")
        return ImagePsfModel(constant_kernel=kernel, bounds=self._bounds)

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[ImagePsfModel]:  # noqa: ARG004
        return ImagePsfModel


class ImagePsfModel(ProductTree):
    """The stored form of an `ImagePointSpreadFunction`."""

    SCHEMA_NAME: ClassVar[str] = "cellcoadd_image_psf"
    SCHEMA_VERSION: ClassVar[str] = "1.0.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    PUBLIC_TYPE: ClassVar[type] = ImagePointSpreadFunction

    constant_kernel: ArrayReferenceModel | InlineArrayModel = pydantic.Field(
        description="Image of the PSF, centred on its middle pixel, of unit sum."
    )
    bounds: Box = pydantic.Field(description="The pixels where the model is valid.")

    def deserialize(self, archive: InputArchive[Any], **kwargs: Any) -> ImagePointSpreadFunction:
        """Read the PSF."""
        _refuse_parameters(kwargs, "ImagePointSpreadFunction")
        return ImagePointSpreadFunction(archive.get_array(self.constant_kernel), bounds=self.bounds)


class PsfexPointSpreadFunction(PointSpreadFunction):
    """A PSFEx model: basis images whose weights are a polynomial in the position.

    Parameters
    ----------
    basis : (terms, rows, columns)
        One image a term, in the order 1, X, X^2, ..., Y, XY, ... with X = (x - x_zero)/x_scale;
        the centre of the PSF is the pixel ``rows // 2, columns // 2``. Kept in double precision if
        they are, else in single.
    degree
        Degree of the polynomial.
    x_zero, y_zero, x_scale, y_scale
        Normalisation of the position, in our 0-based pixels (PSFEx counts from 1).
    sampling
        Size of a pixel of the basis images in pixels of the image, PSFEx's ``PSF_SAMP``.
    bounds
        The pixels where the model is valid.

    Raises
    ------
    ValueError
        If the number of terms does not fit the degree, or a number is not finite or not positive.

    Notes
    -----
    Bertin (2011, ASP Conf. 442, 435). Images drawn have unit sum; PSFEx's own sums are those within
    its photometric aperture. A model with the sampling of the image is drawn as it is and recentred
    like any other stamp; a finer or coarser one is interpolated to the pixels wanted with the
    Lanczos-4 kernel for which PSFEx solved it.
    """

    def __init__(
        self,
        basis: npt.ArrayLike,
        *,
        degree: int,
        x_zero: float,
        y_zero: float,
        x_scale: float,
        y_scale: float,
        sampling: float,
        bounds: Box,
    ) -> None:
        images = np.array(basis)
        self._basis = images if images.dtype == np.float64 else images.astype(np.float32)
        if self._basis.ndim != 3 or self._basis.shape[0] != psfex_term_count(degree):
            raise ValueError(
                f"A PSFEx model of degree {degree} has {psfex_term_count(degree)} images, "
                f"got an array of shape {self._basis.shape}."
            )
        if not np.isfinite(self._basis).all():
            raise ValueError("The images of a PSFEx model must be finite.")
        if not (math.isfinite(x_zero) and math.isfinite(y_zero)):
            raise ValueError(f"The zero of the position must be finite, got {x_zero}, {y_zero}.")
        for name, value in (("x_scale", x_scale), ("y_scale", y_scale), ("sampling", sampling)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} of a PSFEx model must be positive, got {value}.")
        self._degree = degree
        self._zero = YX(y=float(y_zero), x=float(x_zero))
        self._scale = YX(y=float(y_scale), x=float(x_scale))
        self._sampling = float(sampling)
        self._bounds = bounds

    @property
    def bounds(self) -> Box:
        """The pixels where the model is valid."""
        return self._bounds

    @property
    def sampling(self) -> float:
        """Size of a pixel of the model in pixels of the image."""
        return self._sampling

    @property
    def kernel_bbox(self) -> Box:
        """The box of the kernel image, centred on (0, 0)."""
        _, rows, columns = self._basis.shape
        if self._sampling == 1.0:
            return _centred_box(rows, columns)
        # The largest box of which every pixel has its centre on the model.
        half_y = math.floor((rows - 1) // 2 * self._sampling)
        half_x = math.floor((columns - 1) // 2 * self._sampling)
        return _centred_box(2 * half_y + 1, 2 * half_x + 1)

    def compute_kernel_image(self, *, x: float, y: float) -> Image:
        """Return the PSF of a position, centred on pixel (0, 0).

        Raises
        ------
        ValueError
            If the model has no light there, as far outside of the stars that it was made from.
        """
        model = self._evaluate(x=x, y=y)
        if self._sampling != 1.0:
            model = self._resample(model, self.kernel_bbox, x=0.0, y=0.0)
        return Image(_normalised(model), bbox=self.kernel_bbox)

    def compute_stellar_image(self, *, x: float, y: float) -> Image:
        """Return the image of a star at a position."""
        if self._sampling == 1.0:
            return place_stamp(self.compute_kernel_image(x=x, y=y), x=x, y=y)
        bbox = self.compute_stellar_bbox(x=x, y=y)
        pixels = self._resample(self._evaluate(x=x, y=y), bbox, x=x, y=y)
        return Image(_normalised(pixels), bbox=bbox)

    def compute_stellar_bbox(self, *, x: float, y: float) -> Box:
        """Return the box of the image of a star at a position."""
        return stellar_box(self.kernel_bbox, x=x, y=y)

    def _evaluate(self, *, x: float, y: float) -> npt.NDArray[np.float64]:
        """Return the model of a position, in its own sampling."""
        u = (x - self._zero.x) / self._scale.x
        v = (y - self._zero.y) / self._scale.y
        terms = [u**i * v**j for j in range(self._degree + 1) for i in range(self._degree + 1 - j)]
        result: npt.NDArray[np.float64] = np.tensordot(np.array(terms), self._basis, axes=1)
        return result

    def _resample(
        self, model: npt.NDArray[np.float64], bbox: Box, *, x: float, y: float
    ) -> npt.NDArray[np.float64]:
        """Interpolate the model to the pixels of a box, its centre at x, y."""
        rows = (bbox.y.arange - y) / self._sampling + model.shape[0] // 2
        columns = (bbox.x.arange - x) / self._sampling + model.shape[1] // 2
        along_y = lanczos_matrix(rows, model.shape[0])
        along_x = lanczos_matrix(columns, model.shape[1])
        result: npt.NDArray[np.float64] = along_y @ model @ along_x.T
        return result

    def serialize(self, archive: OutputArchive[Any]) -> PsfexPsfModel:
        """Write the model to an archive."""
        return PsfexPsfModel(
            basis_images=archive.add_array(self._basis, name="basis_images"),
            degree=self._degree,
            x_zero=self._zero.x,
            y_zero=self._zero.y,
            x_scale=self._scale.x,
            y_scale=self._scale.y,
            sampling=self._sampling,
            bounds=self._bounds,
        )

    @staticmethod
    def _get_archive_tree_type(pointer_type: type[Any]) -> type[PsfexPsfModel]:  # noqa: ARG004
        return PsfexPsfModel


class PsfexPsfModel(ProductTree):
    """The stored form of a `PsfexPointSpreadFunction`."""

    SCHEMA_NAME: ClassVar[str] = "cellcoadd_psfex_psf"
    SCHEMA_VERSION: ClassVar[str] = "1.0.0"
    MIN_READ_VERSION: ClassVar[int] = 1
    PUBLIC_TYPE: ClassVar[type] = PsfexPointSpreadFunction

    basis_images: ArrayReferenceModel | InlineArrayModel = pydantic.Field(
        description="One image a term, in the order 1, X, X^2, ..., Y, XY, ...."
    )
    degree: int = pydantic.Field(description="Degree of the polynomial in the position.")
    x_zero: float = pydantic.Field(description="Position in x where X is zero, in 0-based pixels.")
    y_zero: float = pydantic.Field(description="Position in y where Y is zero, in 0-based pixels.")
    x_scale: float = pydantic.Field(description="Pixels in x that change X by one.")
    y_scale: float = pydantic.Field(description="Pixels in y that change Y by one.")
    sampling: float = pydantic.Field(description="Size of a model pixel in pixels of the image.")
    bounds: Box = pydantic.Field(description="The pixels where the model is valid.")

    def deserialize(self, archive: InputArchive[Any], **kwargs: Any) -> PsfexPointSpreadFunction:
        """Read the PSF."""
        _refuse_parameters(kwargs, "PsfexPointSpreadFunction")
        return PsfexPointSpreadFunction(
            archive.get_array(self.basis_images),
            degree=self.degree,
            x_zero=self.x_zero,
            y_zero=self.y_zero,
            x_scale=self.x_scale,
            y_scale=self.y_scale,
            sampling=self.sampling,
            bounds=self.bounds,
        )


def _centred_box(rows: int, columns: int) -> Box:
    """Return the box of an image whose middle pixel is (0, 0)."""
    y, x = -(rows // 2), -(columns // 2)
    return Box.factory[y : y + rows, x : x + columns]


def _normalised(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide by the sum."""
    total = float(pixels.sum())
    if not (math.isfinite(total) and total > 0):
        raise ValueError(f"The image of a PSF must be finite with a positive sum, got {total}.")
    return pixels / total


def lanczos_matrix(
    positions: npt.NDArray[np.float64], size: int, *, order: int = _PSFEX_ORDER
) -> npt.NDArray[np.float64]:
    """Return the matrix that interpolates a line of pixels at positions; zero outside of it.

    Parameters
    ----------
    positions : (positions,)
        In pixels of the line, of which the first has its centre at 0.
    size
        Pixels of the line.
    order
        Half of the number of pixels that a value is made of.

    Returns
    -------
    float64 (positions, size)
        Each row's weights are divided by the sum of all, also of those that fall outside.
    """
    first = np.floor(positions).astype(int) + 1 - order
    taps = first[:, np.newaxis] + np.arange(2 * order)
    t = positions[:, np.newaxis] - taps
    weights = np.sinc(t) * np.sinc(t / order)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((positions.size, size))
    row, tap = np.nonzero((taps >= 0) & (taps < size))
    matrix[row, taps[row, tap]] = weights[row, tap]
    return matrix


def _refuse_parameters(parameters: dict[str, Any], what: str) -> None:
    """Reading takes no parameters."""
    if parameters:
        raise InvalidParameterError(f"{what} is read whole, without {sorted(parameters)}.")
