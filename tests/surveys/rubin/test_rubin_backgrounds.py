"""What Rubin visit images say of aperture corrections and backgrounds reaches calibrated images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from lsst.images import Background, BackgroundMap, VisitImage
from lsst.images.fields import ChebyshevField, Field, ProductField, SumField

from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image, read_visit_image

type Make = Callable[..., VisitImage]

COEFFICIENTS = [[10.0, 2.0], [-1.0, 0.0]]
SCALING = [[2.0, 0.1], [0.2, 0.0]]


def polynomial(image: VisitImage, coefficients: Any, unit: u.UnitBase | None = None) -> Any:
    return ChebyshevField(image.bbox, np.array(coefficients), unit=unit)


def values_of(image: VisitImage, coefficients: Any) -> Any:
    """The same polynomial, written out: half the box is 35 by 30 pixels, its middle the origin."""
    box = image.bbox
    x = (box.x.arange - 0.5 * (box.x.min + box.x.max)) / (0.5 * box.x.size)
    y = (box.y.arange - 0.5 * (box.y.min + box.y.max)) / (0.5 * box.y.size)
    (middle, along_x), (along_y, _) = coefficients
    return middle + along_x * x[np.newaxis, :] + along_y * y[:, np.newaxis]


def with_background(image: VisitImage, field: Field) -> VisitImage:
    image.backgrounds.add("sky", field, "A description.", is_subtracted=True)
    image.backgrounds.add("other", polynomial(image, COEFFICIENTS))
    return image


def in_nanojansky(image: CalibratedImage, name: str = "sky") -> Any:
    """A background in nJy: what the stages make of counts."""
    field = image.backgrounds[name].field
    assert field.unit == u.dimensionless_unscaled
    return field.render(image.bbox, dtype=np.float64).array * image.nanojansky_per_count


def test_aperture_corrections_are_taken_as_they_are(visit_image: Make) -> None:
    """They are factors by position in the pixels that the image has here too."""
    source = visit_image()
    field = polynomial(source, [[0.9, 0.01]])
    source = visit_image(aperture_corrections={"base_PsfFlux_instFlux": field})
    image = calibrated_image_from_visit_image(source)
    assert image.aperture_corrections == {"base_PsfFlux_instFlux": field}


def test_an_image_without_them_has_none(visit_image: Make) -> None:
    """And no background."""
    image = calibrated_image_from_visit_image(visit_image())
    assert not image.aperture_corrections
    assert not image.backgrounds
    assert image.backgrounds.subtracted is None


def test_a_file_gives_them_like_an_image_in_memory(visit_image: Make, tmp_path: Path) -> None:
    """The way through the file is lsst.images' own."""
    source = visit_image()
    field = polynomial(source, [[0.9, 0.01]])
    source = with_background(
        visit_image(aperture_corrections={"a": field}), polynomial(source, COEFFICIENTS, u.nJy)
    )
    path = tmp_path / "image.fits"
    source.write(str(path))
    image = read_visit_image(path).calibrated_image
    assert image.aperture_corrections == {"a": field}
    np.testing.assert_allclose(in_nanojansky(image), values_of(source, COEFFICIENTS), rtol=1e-14)
    subtracted = image.backgrounds.subtracted
    assert subtracted is not None
    assert (subtracted.name, subtracted.description) == ("sky", "A description.")
    assert set(image.backgrounds) == {"sky", "other"}


@pytest.mark.parametrize("unit", [None, u.nJy, u.uJy])
@pytest.mark.parametrize("image_unit", [u.nJy, u.uJy])
def test_backgrounds_of_images_in_flux(
    visit_image: Make, image_unit: u.UnitBase, unit: u.UnitBase | None
) -> None:
    """Without a unit a model is in that of the image."""
    source = visit_image(unit=image_unit)
    source = with_background(source, polynomial(source, COEFFICIENTS, unit))
    expected = values_of(source, COEFFICIENTS) * (unit or image_unit).to(u.nJy)
    image = calibrated_image_from_visit_image(source)
    np.testing.assert_allclose(in_nanojansky(image), expected, rtol=1e-14)


@pytest.mark.parametrize("scaling", [[[2.5, 0.0], [0.0, 0.0]], SCALING], ids=["flat", "varying"])
@pytest.mark.parametrize("unit", [None, u.electron, u.uJy])
def test_backgrounds_of_images_in_counts(
    visit_image: Make, unit: u.UnitBase | None, scaling: list[list[float]]
) -> None:
    """A model in counts is scaled as the pixels are, be it by a field; one in flux is not."""
    source = visit_image(unit=u.electron)
    coefficients = [[2.5]] if scaling[0][1] == 0.0 else scaling
    source.photometric_scaling = polynomial(source, coefficients, u.nJy / u.electron)
    source = with_background(source, polynomial(source, COEFFICIENTS, unit))
    values = values_of(source, COEFFICIENTS)
    expected = 1e3 * values if unit == u.uJy else values * values_of(source, scaling)
    image = calibrated_image_from_visit_image(source)
    np.testing.assert_allclose(in_nanojansky(image), expected, rtol=1e-14)
    # What was subtracted before calibration and is added after it makes the image whole again.
    np.testing.assert_allclose(
        in_nanojansky(image, "other"), values * values_of(source, scaling), rtol=1e-14
    )


def test_a_calibrated_image_may_carry_the_background_of_its_counts(visit_image: Make) -> None:
    """As Rubin's do: the pixels are in nJy, the scaling that made them is kept."""
    source = visit_image()
    source.photometric_scaling = polynomial(source, SCALING, u.nJy / u.electron)
    source = with_background(source, polynomial(source, COEFFICIENTS, u.electron))
    expected = values_of(source, COEFFICIENTS) * values_of(source, SCALING)
    image = calibrated_image_from_visit_image(source)
    np.testing.assert_allclose(in_nanojansky(image), expected, rtol=1e-14)


@pytest.mark.parametrize("units", [(None, None), (u.nJy, u.uJy)])
def test_sums_and_products_keep_their_parts(
    visit_image: Make, units: tuple[u.UnitBase | None, u.UnitBase | None]
) -> None:
    """A sum's terms may be in different units; a product's unit is that of all of it."""
    source = visit_image()
    terms = [polynomial(source, COEFFICIENTS, unit) for unit in units]
    factors = [polynomial(source, SCALING), polynomial(source, COEFFICIENTS, units[1])]
    source = with_background(source, SumField([*terms, ProductField(factors)]))
    values = values_of(source, COEFFICIENTS)
    first, second = ((unit or u.nJy).to(u.nJy) for unit in units)
    expected = values * (first + second + second * values_of(source, SCALING))
    image = calibrated_image_from_visit_image(source)
    np.testing.assert_allclose(in_nanojansky(image), expected, rtol=1e-13)


def test_a_model_in_a_strange_unit_is_no_reason_to_refuse_the_image(visit_image: Make) -> None:
    """It keeps its unit, by which it is refused when somebody asks for it."""
    source = visit_image()
    source = with_background(source, polynomial(source, COEFFICIENTS, u.m))
    image = calibrated_image_from_visit_image(source)
    assert image.backgrounds["sky"].field.unit == u.m
    np.testing.assert_allclose(
        in_nanojansky(image, "other"), values_of(source, COEFFICIENTS), rtol=1e-14
    )


def test_the_visit_image_keeps_its_own_map(visit_image: Make) -> None:
    """Whoever adds to one of them does not add to the other."""
    source = with_background(visit_image(), polynomial(visit_image(), COEFFICIENTS, u.uJy))
    image = calibrated_image_from_visit_image(source)
    source.backgrounds.add("third", polynomial(source, COEFFICIENTS))
    assert set(image.backgrounds) == {"sky", "other"}
    assert source.backgrounds["sky"].field.unit == u.uJy
    assert isinstance(image.backgrounds, BackgroundMap)
    assert isinstance(image.backgrounds["sky"], Background)
