"""Coadds and weights beside those of the Rubin pipelines' own code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellcoadd.cell_grid import Index2D
from cellcoadd.validation.agreement.cell_rules import find_rules
from cellcoadd.validation.agreement.coadds import compare_coadd
from cellcoadd.validation.agreement.command import COADDS, compare
from cellcoadd.validation.agreement.reference_coadds import ExpectedCell, read_coadd_case

type Find = Callable[[str], Path]

CASES = (
    "C1_default",
    "C2_error_from_scatter",
    "C3_min_overlap_half",
    "C3b_min_overlap_zero",
    "C4_max_maskfrac_0p1",
    "C5_visit_summary_weights",
    "C6_no_interpolation",
    "C7_decam",
)
COMPARED = {
    "cells present",
    "inputs of a cell",
    "weight (relative)",
    "overlap fraction",
    "overlap of the centre",
    "outline of a detector (px)",
    "unmasked fraction",
    "image",
    "masked fraction",
    "noise",
    "mask, without INEXACT_PSF",
    "INEXACT_PSF where an input is left out",
    "PSF of a cell (of the peak)",
}
LEAST_COMMON = 0.95
"""Part of the pixels of C1 whose inputs are the same to both programs."""


@pytest.mark.parametrize("name", CASES)
def test_coadd_is_that_of_the_rubin_pipelines(reference_folder: Find, name: str) -> None:
    """The same choices, sums and marks, where both programs' rules take the same inputs."""
    agreements = compare(reference_folder(name), name).agreements
    assert {one.quantity for one in agreements} >= COMPARED
    assert [one for one in agreements if not one.holds] == []


def test_little_is_left_out_of_the_comparison(reference_folder: Find) -> None:
    """Rules that differ everywhere would leave nothing to agree on."""
    case = read_coadd_case(reference_folder("C1_default") / COADDS, "C1_default")
    common = [
        find_rules(case, index, cell.inputs).common.mean() for index, cell in case.cells.items()
    ]
    assert np.mean(common) > LEAST_COMMON


@pytest.mark.parametrize("plane", ["image", "variance", "mask", "mask_fractions", "noise0", "psf"])
def test_a_cell_that_is_slightly_off_is_noticed(reference_folder: Find, plane: str) -> None:
    """One pixel of one plane of one cell of 21 is enough."""
    case = read_coadd_case(reference_folder("C1_default") / COADDS, "C1_default")
    index = Index2D(x=1, y=1)
    cell = case.cells[index]
    changed = cell.planes[plane].copy()
    middle = tuple(size // 2 for size in changed.shape)
    assert not find_rules(case, index, cell.inputs).left_out[50, 50]
    changed[middle] += 1 if plane == "mask" else np.float32(1e-3) * changed.max()
    if plane == "mask_fractions":
        changed[middle] += 1e-3
    spoilt = ExpectedCell(inputs=cell.inputs, planes=cell.planes | {plane: changed})
    cells = dict(case.cells) | {index: spoilt}
    agreements = compare_coadd(dataclasses.replace(case, cells=cells)).agreements
    failed = [one.quantity for one in agreements if not one.holds]
    # Of a PSF its moments, area and sum are compared as well.
    assert len(failed) == 1 or (plane == "psf" and "PSF of a cell (of the peak)" in failed)


def test_another_input_is_noticed(reference_folder: Find) -> None:
    """A cell that theirs made from one input less is not the same cell."""
    case = read_coadd_case(reference_folder("C1_default") / COADDS, "C1_default")
    index = Index2D(x=1, y=1)
    cell = case.cells[index]
    fewer = ExpectedCell(inputs=cell.inputs[1:], planes=cell.planes)
    agreements = compare_coadd(
        dataclasses.replace(case, cells=dict(case.cells) | {index: fewer})
    ).agreements
    assert [one.quantity for one in agreements if not one.holds] == ["inputs of a cell"]
