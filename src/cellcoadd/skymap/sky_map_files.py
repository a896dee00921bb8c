"""Sky maps by name, or from a YAML file of one's own.

A map around one field needs four lines::

    name: cosmos_cells
    kind: discrete
    pixel_scale_arcsec: 0.2
    tracts: [{ra: 150.12, dec: 2.21, radius: 0.8}]
"""

from __future__ import annotations

__all__ = ["load_sky_map", "named_sky_map", "sky_map_names"]

import functools
import importlib.resources
import os
from pathlib import Path
from typing import Any

from ..errors import SkyMapError
from .sky_map import SkyMap
from .yaml_text import read_yaml


def sky_map_names() -> list[str]:
    """Return the names that `named_sky_map` knows."""
    return sorted(_named_definitions())


def named_sky_map(name: str) -> SkyMap:
    """Return one of the sky maps that the Rubin pipelines define.

    Parameters
    ----------
    name
        ``hsc_rings_cells_v1``, ``lsst_cells_v1`` or ``lsst_cells_v2``.

    Raises
    ------
    SkyMapError
        If there is none of this name.

    Examples
    --------
    >>> sky_map = named_sky_map("hsc_rings_cells_v1")
    >>> patch = sky_map[9813].patch(61)
    >>> patch.index
    Index2D(x=6, y=5)
    >>> print(patch.outer_bbox)
    [y=14800:18200, x=17800:21200]
    """
    definitions = _named_definitions()
    if name not in definitions:
        raise SkyMapError(
            f"There is no built-in sky map {name!r}, only {', '.join(sorted(definitions))}; "
            "a map of one's own can be described in a YAML file."
        )
    return SkyMap.from_definition(definitions[name], name=name)


def load_sky_map(path: str | os.PathLike[str], name: str | None = None) -> SkyMap:
    """Read a sky map from a YAML file.

    Parameters
    ----------
    path
        The file.
    name
        The name of the map; by default what the file's key ``name`` says or, without it, the
        file's own name without its ending.

    Raises
    ------
    SkyMapError
        If the file is not there, is not YAML, or has a missing, unknown or wrong key; the message
        names the file and the key.

    Notes
    -----
    The keys (angles in degrees):

    ``kind``
        ``discrete`` for chosen fields, ``rings`` for the whole sky.
    ``pixel_shift`` (discrete, default ``[0, 0]``)
        By which part of a pixel in x and y the centre of a tract lies beside that of a pixel.
    ``tracts`` (discrete)
        A list; each tract has ``ra``, ``dec`` and ``radius``.
    ``num_rings``, ``ra_start`` (rings)
        The number of rings, and where they begin (0).
    ``pixel_scale_arcsec``
        Size of a pixel.
    ``name``, ``tract_overlap`` (0), ``rotation`` (0), ``cell_inner_size`` (150 pixels),
    ``cell_border`` (50 pixels), ``patch_inner_cells`` (20), ``patch_border_cells`` (1)
        May be left out; see `TractSettings`.
    """
    path = Path(path)
    try:
        definition = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SkyMapError(f"{path}: cannot be read: {error}") from error
    except SkyMapError as error:
        raise SkyMapError(f"{path}: {error}") from error
    if name is None and isinstance(definition, dict) and "name" not in definition:
        name = path.stem
    try:
        return SkyMap.from_definition(definition, name=name)
    except SkyMapError as error:
        raise SkyMapError(f"{path}: {error}") from error


@functools.cache
def _named_definitions() -> dict[str, dict[str, Any]]:
    source = importlib.resources.files(__package__) / "named_sky_maps.yaml"
    definitions: dict[str, dict[str, Any]] = read_yaml(source.read_text(encoding="utf-8"))
    return definitions
