"""The Python on a page, which readers copy."""

from __future__ import annotations

from cellcoadd.tract_report.code_to_get import NamedDataset, code_to_get

DATA_ID: dict[str, str | int] = {"skymap": "small", "tract": 0, "band": "i"}


def test_the_first_dataset_of_each_type_is_got_by_a_name_of_its_own() -> None:
    """The coadd is `coadd`; the others are called by what follows its name."""
    datasets = [
        NamedDataset.of("deepCoaddCells", {**DATA_ID, "patch": 24}),
        NamedDataset.of("deepCoaddCells", {**DATA_ID, "patch": 25}),
        NamedDataset.of("deepCoaddCells_depth_map", DATA_ID),
    ]
    code = code_to_get(
        datasets,
        repository="REPO",
        collections=["u/me"],
        data_id=DATA_ID,
        coadd_name="deepCoaddCells",
    )
    assert code.splitlines() == [
        "from lsst.daf.butler import Butler",
        "",
        "butler = Butler.from_config('REPO', collections='u/me')",
        "where = {'skymap': 'small', 'tract': 0, 'band': 'i'}",
        "coadd = butler.get('deepCoaddCells', where, patch=24)",
        "depth_map = butler.get('deepCoaddCells_depth_map', where)",
    ]


def test_several_collections_are_searched_in_their_order() -> None:
    """Tables can be in another run than coadds."""
    code = code_to_get([], repository="REPO", collections=["u/new", "u/old"], data_id=DATA_ID)
    assert "collections=['u/new', 'u/old'])" in code


def test_data_ids_for_people() -> None:
    """A patch is named only where there is one."""
    of_patch = NamedDataset.of("deepCoaddCell", {**DATA_ID, "patch": 24})
    assert of_patch.title == "tract 0, patch 24, band i"
    assert NamedDataset.of("deepCoaddCell_depth_map", DATA_ID).title == "tract 0, band i"
