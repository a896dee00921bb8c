"""Our weights from variance planes beside those of the Rubin pipelines."""

from __future__ import annotations

__all__ = ["compare_weights"]

from pathlib import Path

import numpy as np
from lsst.images import Image, Mask, MaskedImage

from ...coaddition.weights import compute_weight
from ...kernels.clipped_mean import clipped_mean
from ...masks.planes import bits_of, mask_schema
from .comparison import Comparison, Tally
from .reference_cases import read_arrays, read_json, to_our_bits

WEIGHT = 1e-6


def compare_weights(folder: Path) -> Comparison:
    """Compare the weights of variance planes with NaN, inf, negative, constant and odd values."""
    description = read_json(folder / "D2_weights.json")
    arrays = read_arrays(folder / "D2_weights.npz")
    bad = description["bad_mask_planes"]
    schema = mask_schema()
    tally = Tally("D2_weights", rounding=WEIGHT)
    for row in description["cases"]:
        variance = arrays[f"c{row['case']}_variance"]
        bits = to_our_bits(arrays[f"c{row['case']}_mask"], description["mask_planes"])
        image = MaskedImage(
            Image(np.zeros_like(variance)),
            mask=Mask(bits[:, :, np.newaxis], schema=schema),
            variance=Image(variance),
        )
        weight = compute_weight(image, bad=bad)
        tally.agree("weight of a warp (relative)", abs(weight / row["weight"] - 1.0), WEIGHT)
        mean = clipped_mean(variance[(bits & bits_of(schema, bad)) == 0])
        tally.agree("clipped mean (relative)", abs(mean / row["meanclip"] - 1.0), WEIGHT)
    return tally.result()
