"""Exchange the background of a detector: the subtracted model goes back in, another one comes out.

The first thing that happens to an image, while its pixels are still those that the models of its
background were made for.
"""

from __future__ import annotations

__all__ = ["exchange_background"]

import dataclasses

import astropy.units as u
import numpy as np
import numpy.typing as npt
from lsst.images import Background, BackgroundMap, Box, Image, MaskedImage

from ..errors import UnusableInputError
from ..products.calibrated_image import CalibratedImage
from .settings import WarpSettings


def exchange_background(image: CalibratedImage, *, settings: WarpSettings) -> CalibratedImage:
    """Return an image with the background that the settings ask for; itself if nothing changes.

    Parameters
    ----------
    image
        With its models of the background, each of them whole: at most one is subtracted at a time.
    settings
        ``do_revert_old_background`` adds the subtracted model to the pixels;
        ``do_apply_new_background`` subtracts the model that is called ``new_background``.

    Returns
    -------
    CalibratedImage
        Its `CalibratedImage.backgrounds` say which model is subtracted now. Pixels are NaN where
        they were and where a model is not defined or not finite. Mask and variance are shared with
        the given image: the photon noise of the sky is the same, subtracted or not.

    Raises
    ------
    UnusableInputError
        If the image lacks what is asked for: a subtracted model to be added back, or the model to
        be subtracted; if another or the same model is subtracted already and is not added back
        first; if a model is in a unit that has nothing to do with the pixels, cannot be evaluated
        or has no value on the image.
    """
    old = _subtracted(image) if settings.do_revert_old_background else None
    new = _wanted(image, settings) if settings.do_apply_new_background else None
    if old is new:
        return image
    planes = image.masked_image
    pixels = planes.image.array.astype(np.float64)
    if old is not None:
        pixels += _rendered(old, image)
    if new is not None:
        pixels -= _rendered(new, image)
    exchanged = MaskedImage(
        Image(pixels.astype(np.float32), bbox=image.bbox, unit=planes.image.unit),
        mask=planes.mask,
        variance=planes.variance,
        sky_projection=image.sky_projection,
    )
    exchanged.metadata = planes.metadata
    return dataclasses.replace(
        image,
        masked_image=exchanged,
        backgrounds=BackgroundMap(
            image.backgrounds.values(), subtracted=None if new is None else new.name
        ),
    )


def _subtracted(image: CalibratedImage) -> Background:
    model = image.backgrounds.subtracted
    if model is None:
        raise UnusableInputError(
            str(image.observation),
            "do_revert_old_background asks to add the subtracted background, and the image does "
            f"not say that one was subtracted; {_names(image)}",
        )
    return model


def _wanted(image: CalibratedImage, settings: WarpSettings) -> Background:
    name = settings.new_background
    if name is None or name not in image.backgrounds:
        raise UnusableInputError(
            str(image.observation),
            f"do_apply_new_background asks to subtract the background {name!r}; {_names(image)}",
        )
    present = image.backgrounds.subtracted
    if present is not None and not settings.do_revert_old_background:
        raise UnusableInputError(
            str(image.observation),
            f"the background {present.name!r} is subtracted already, and to subtract {name!r} too "
            "would take the sky out twice; do_revert_old_background adds the old one back first",
        )
    return image.backgrounds[name]


def _names(image: CalibratedImage) -> str:
    names = sorted(image.backgrounds)
    return f"its background models are {names}" if names else "it carries no background model"


def _rendered(model: Background, image: CalibratedImage) -> npt.NDArray[np.float64]:
    """A model on the pixels of an image, in counts; NaN where it is not defined."""
    source, field, box = str(image.observation), model.field, image.bbox
    unit = u.dimensionless_unscaled if field.unit is None else field.unit
    if not unit.is_equivalent(u.dimensionless_unscaled):
        raise UnusableInputError(
            source, f"its background {model.name!r} is in {unit}, its pixels are not"
        )
    try:
        values = field.render(box, dtype=np.float64).array * unit.to(u.dimensionless_unscaled)
    except Exception as error:  # each kind of field fails in its own way
        raise UnusableInputError(
            source, f"its background {model.name!r} cannot be evaluated ({error})"
        ) from error
    if not (isinstance(field.bounds, Box) and field.bounds.contains(box)):
        x, y = np.meshgrid(box.x.arange, box.y.arange)
        values = np.where(field.bounds.contains(x=x, y=y), values, np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    if np.isnan(values).all():
        raise UnusableInputError(
            source, f"its background {model.name!r} has no value on any of its pixels"
        )
    return values
