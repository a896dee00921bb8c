"""The inputs of a tract in numbers: by visit, by reason of refusal, by refused detector."""

from __future__ import annotations

__all__ = ["REFUSALS", "refusals_by_detector", "refusals_by_reason", "summary_by_visit"]

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from astropy.table import Table

from .page_parts import PageColumn, PageTable, Value

REFUSALS: Mapping[str, str] = {
    "overlap": "covers too little of the cell",
    "center": "does not cover the middle of the cell",
    "weight": "its weight is not finite and positive",
    "masked": "too much of it is masked, and other inputs are better",
    "psf": "its point-spread function cannot be drawn at the middle of the cell",
}
"""Why a cell refuses an input, in the order in which it is asked."""

_LONGEST = 400  # rows of a table: a page is to load quickly


def summary_by_visit(inputs: Table) -> PageTable:
    """Return one row a visit: in how many cells it was tried and accepted.

    Parameters
    ----------
    inputs
        Tables of inputs of all patches.
    """
    cameras = np.asarray(inputs["instrument"], np.str_)
    several = len(np.unique(cameras)) > 1
    groups, firsts = _groups(cameras, inputs["visit"])
    rows: list[list[Value]] = []
    for number, first in enumerate(firsts):
        here = inputs[groups == number]
        accepted = int(np.asarray(here["accepted"], np.bool_).sum())
        rows.append(
            [
                *([str(cameras[first])] if several else []),
                int(inputs["visit"][first]),
                str(here["day_obs"][0]),
                str(here["physical_filter"][0]),
                len(np.unique(here["detector"])),
                accepted,
                len(here) - accepted,
            ]
        )
    cut = "" if len(rows) <= _LONGEST else f" The first {_LONGEST} of {len(rows):,}."
    return PageTable(
        name="visits",
        caption="Visits: how often a detector of theirs was added to a cell or refused, over all "
        f"patches.{cut}",
        columns=[
            *_camera_column(several),
            PageColumn(name="visit", grouped=False),
            PageColumn(name="night"),
            PageColumn(name="filter"),
            PageColumn(name="detectors"),
            PageColumn(name="accepted by cells"),
            PageColumn(name="refused by cells"),
        ],
        rows=rows[:_LONGEST],
        folded=True,
    )


def _groups(*columns: npt.ArrayLike) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the group of each row by the values in some columns, and a row of each group.

    Groups are sorted by the columns, the first one first.
    """
    codes = [np.unique(np.asarray(column), return_inverse=True)[1] for column in columns]
    _, firsts, groups = np.unique(np.stack(codes), axis=1, return_index=True, return_inverse=True)
    return groups.ravel(), firsts


def _camera_column(several: bool) -> list[PageColumn]:
    """Visits of several cameras can have the same number."""
    return [PageColumn(name="camera")] if several else []


def refusals_by_reason(inputs: Table) -> PageTable:
    """Return one row a reason: how many inputs of cells were refused for it."""
    reasons = np.asarray(inputs["reason"], np.str_)
    names = [*REFUSALS, *sorted(set(reasons.tolist()) - {"accepted", *REFUSALS})]
    rows: list[list[Value]] = [
        [
            name,
            REFUSALS.get(name, ""),
            int((reasons == name).sum()),
            100.0 * float((reasons == name).mean()) if len(reasons) else None,
        ]
        for name in names
    ]
    accepted = int((reasons == "accepted").sum())
    return PageTable(
        name="reasons",
        caption=f"Why inputs were refused. {len(reasons):,} times a detector touches a cell, over "
        f"all patches; {accepted:,} times it was accepted.",
        columns=[
            PageColumn(name="reason"),
            PageColumn(name="meaning"),
            PageColumn(name="refused"),
            PageColumn(name="of all", unit="%", digits=2),
        ],
        rows=rows,
    )


def refusals_by_detector(inputs: Table) -> PageTable:
    """Return one row a detector of a visit that a cell refused, the most refused first."""
    refused = inputs[~np.asarray(inputs["accepted"], np.bool_)]
    cameras = np.asarray(refused["instrument"], np.str_)
    several = len(np.unique(np.asarray(inputs["instrument"], np.str_))) > 1
    groups, firsts = _groups(cameras, refused["visit"], refused["detector"])
    reasons = np.asarray(refused["reason"], np.str_)
    found = [name for name in REFUSALS if name in set(reasons.tolist())]
    counts = {name: np.bincount(groups[reasons == name], minlength=len(firsts)) for name in found}
    total = np.bincount(groups, minlength=len(firsts))
    order = np.argsort(-total, kind="stable")[:_LONGEST]
    cut = "" if len(total) <= _LONGEST else f" The {_LONGEST} most refused of {len(total):,}."
    return PageTable(
        name="refused",
        caption=f"Refused inputs: how many cells refused a detector, and why.{cut}",
        columns=[
            *_camera_column(several),
            PageColumn(name="visit", grouped=False),
            PageColumn(name="detector", grouped=False),
            PageColumn(name="refused by cells"),
            *(PageColumn(name=name) for name in found),
        ],
        rows=[
            [
                *([str(cameras[firsts[row]])] if several else []),
                int(refused["visit"][firsts[row]]),
                int(refused["detector"][firsts[row]]),
                int(total[row]),
                *(int(counts[name][row]) for name in found),
            ]
            for row in order
        ],
        folded=True,
    )
