"""All arrays that a run of the pipeline has made, to be compared bit for bit."""

from __future__ import annotations

__all__ = ["arrays_in", "assert_same_bits", "dataset_types_in"]

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.table import Table
from healsparse import HealSparseMap
from lsst.daf.butler import Butler
from lsst.images import Image, Mask, MaskedImage

from ..products.cell_coadd import MultipleCellCoadd
from ..products.warp import Warp

type Arrays = dict[str, npt.NDArray[Any]]


def arrays_in(root: Path | str, collection: str) -> dict[str, Arrays]:
    """Return the arrays of all that a run made: warps and their like, coadds, tables, maps.

    Reports have none: a page tells its hour.

    Parameters
    ----------
    root
        A repository.
    collection
        Output of a run.

    Returns
    -------
    arrays
        By dataset type and data ID, then by the name of the array.
    """
    found: dict[str, Arrays] = {}
    with Butler.from_config(root, collections=collection) as butler:
        for name in sorted(dataset_types_in(butler, collection)):
            for ref in butler.query_datasets(name):
                found[f"{name} {ref.dataId}"] = _arrays_of(butler.get(ref))
    return found


def dataset_types_in(butler: Butler, collection: str) -> set[str]:
    """Return which types of coadds and warps there are in a collection."""
    info = butler.collections.query_info(collection, include_summary=True, flatten_chains=True)
    names = {name for each in info for name in each.dataset_types or ()}
    return {name for name in names if name.startswith("deepCoadd")}


def assert_same_bits(one: Mapping[str, Arrays], other: Mapping[str, Arrays]) -> None:
    """Assert that two runs made the same datasets with the same arrays, NaN and signs of zero too.

    Raises
    ------
    AssertionError
        Naming the first dataset and array that differ.
    """
    assert list(one) == list(other)
    for dataset, arrays in one.items():
        assert list(arrays) == list(other[dataset]), dataset
        for name, array in arrays.items():
            twin = other[dataset][name]
            assert (array.dtype, array.shape) == (twin.dtype, twin.shape), (dataset, name)
            assert array.tobytes() == twin.tobytes(), (dataset, name)


def _arrays_of(product: object) -> Arrays:
    match product:
        case Warp():
            return product.named_arrays()
        case MultipleCellCoadd():
            return {**product.stack.named_arrays(), "contributions": product.contributions}
        case MaskedImage():
            return {
                "image": product.image.array,
                "mask": product.mask.array,
                "variance": product.variance.array,
            }
        case Image() | Mask():
            return {"pixels": product.array}
        case Table():
            return {name: np.asarray(product[name]) for name in product.colnames}
        case HealSparseMap():
            pixels = product.valid_pixels
            return {"pixels": pixels, "values": product[pixels]}
        case str():
            return {}
        case _:
            raise TypeError(f"No arrays are known of a {type(product).__name__}.")
