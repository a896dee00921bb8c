"""What a repository records of a visit."""

from __future__ import annotations

from typing import Any

import pytest
from astropy.time import Time

from cellcoadd.products.calibrated_image.observation_details import ObservationDetails
from cellcoadd.products.identifiers import ObservationIdentifiers

IDENTIFIERS = ObservationIdentifiers(
    instrument="Cam", visit=7, detector=3, physical_filter="g 1", band="g", day_obs=20240229
)


def test_all_but_the_identifiers_is_optional() -> None:
    """Plain FITS files say no more."""
    details = ObservationDetails(identifiers=IDENTIFIERS)
    assert details.begin is None
    assert details.exposure_time_s is None


def test_an_exposure_cannot_end_before_it_begins() -> None:
    """A timespan the wrong way round would break the registry much later."""
    early, late = Time("2024-02-29T01:00:00", scale="tai"), Time("2024-02-29T01:01:00", scale="tai")
    ObservationDetails(identifiers=IDENTIFIERS, begin=early, end=late)
    with pytest.raises(ValueError, match=r"Cam visit 7 detector 3.*before it begins"):
        ObservationDetails(identifiers=IDENTIFIERS, begin=late, end=early)


@pytest.mark.parametrize("field", ["airmass", "ra_deg", "exposure_time_s"])
def test_numbers_are_finite_or_absent(field: str) -> None:
    """None is the only way to say that something is not known."""
    values: dict[str, Any] = {field: float("nan")}
    with pytest.raises(ValueError, match=f"{field} must be finite"):
        ObservationDetails(identifiers=IDENTIFIERS, **values)
