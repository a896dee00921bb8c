"""The background models of a Rubin visit image, brought to the counts of a calibrated image.

Models come in whatever unit they were made in: that of the image, another unit of flux, or that of
the image before its photometric calibration.
"""

from __future__ import annotations

__all__ = ["backgrounds_in_counts"]

import dataclasses

import astropy.units as u
from lsst.images import Background, BackgroundMap, VisitImage
from lsst.images.fields import Field, ProductField, SumField


def backgrounds_in_counts(
    visit_image: VisitImage, *, nanojansky_per_count: float, is_scaled: bool
) -> BackgroundMap:
    """Return the models of a visit image in the counts of the calibrated image made from it.

    Parameters
    ----------
    visit_image
        The image that carries the models. A model without a unit is in the image's own.
    nanojansky_per_count
        Flux of one count of the calibrated image.
    is_scaled
        Whether its pixels are those of the visit image times the photometric scaling, as they are
        where that varies over the image.

    Returns
    -------
    BackgroundMap
        The same models under the same names, without dimension. One whose unit leads to no flux is
        left as it is: an image whose background is not to be changed can do without it.
    """
    subtracted = visit_image.backgrounds.subtracted
    return BackgroundMap(
        [
            dataclasses.replace(
                model,
                field=_in_counts(
                    model,
                    visit_image,
                    nanojansky_per_count=nanojansky_per_count,
                    is_scaled=is_scaled,
                ),
            )
            for model in visit_image.backgrounds.values()
        ],
        subtracted=None if subtracted is None else subtracted.name,
    )


def _in_counts(
    model: Background, visit_image: VisitImage, *, nanojansky_per_count: float, is_scaled: bool
) -> Field:
    field, scaling = model.field, visit_image.photometric_scaling
    unit = visit_image.unit if field.unit is None else field.unit
    if not is_scaled and unit.is_equivalent(visit_image.unit):
        return _times(field, unit.to(visit_image.unit))
    if unit.is_equivalent(u.nJy):
        return _times(field, unit.to(u.nJy) / nanojansky_per_count)
    if scaling is not None and scaling.unit is not None:
        flux = unit * scaling.unit
        if flux.is_equivalent(u.nJy):
            return _times(ProductField([field, scaling]), flux.to(u.nJy) / nanojansky_per_count)
    return field


def _times(field: Field, factor: float) -> Field:
    """A field's values in its unit times a number, without dimension."""
    if isinstance(field, SumField):
        # The terms may be in units of their own; their sum is in the first one's.
        return SumField(
            [
                _times(term, factor if term.unit is None else factor * term.unit.to(field.unit))
                for term in field.operands
            ]
        )
    inverse = u.dimensionless_unscaled if field.unit is None else field.unit**-1
    scaled: Field = field * u.Quantity(factor, inverse)
    return scaled
