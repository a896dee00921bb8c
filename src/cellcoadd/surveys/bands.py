"""The band of a filter: what images are coadded by."""

from __future__ import annotations

__all__ = ["band_of_filter"]


def band_of_filter(physical_filter: str) -> str:
    """Return the band of a filter: its own name, the first word of what a camera calls it.

    Only broad filters have a single letter; narrow and medium ones keep their names, since what
    two of them see of the sky is not to be added up.

    Parameters
    ----------
    physical_filter
        The filter's full name.

    Raises
    ------
    ValueError
        If there is no name.

    Examples
    --------
    >>> band_of_filter("z DECam SDSS c0004 9260.0 1520.0")
    'z'
    >>> band_of_filter("N540 DECam c0012 5403.2 210.0"), band_of_filter("VR DECam c0007 6300.0")
    ('N540', 'VR')
    """
    words = physical_filter.split()
    if not words:
        raise ValueError("A filter must have a name to have a band, got none.")
    return words[0]
