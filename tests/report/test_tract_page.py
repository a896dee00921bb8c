"""The report on a tract: everything is on it, and what is not there is named."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.report.index_page import TractSummary, make_index_page
from cellcoadd.report.page import render_page
from cellcoadd.report.page_parts import PageLink, PageSection, ReportPage
from cellcoadd.report.tract_data import Provenance, TractData
from cellcoadd.report.tract_page import make_tract_page
from cellcoadd.report.variance_figures import draw_variance_map
from cellcoadd.report.visit_figures import draw_visit_maps

FIGURES = {
    "coadd": ["coadd", "cell-variance"],
    "inputs": ["input-histogram", "input-map", "sky-inputs"],
    "variance": ["variance-map", "variance-inputs", "sky-variance"],
    "depth": ["depth-map", "depth-inputs", "sky-depth"],
    "psf": [
        "sky-psf-fwhm",
        "sky-psf-ellipticity",
        "sky-psf-fidelity",
        "sky-psf-size-spread",
        "sky-psf-size-change",
    ],
    "masks": [
        "mask-fractions",
        "thresholds",
        "patch-thresholds",
        "sky-masked-fraction",
        "sky-input-fraction-010",
        "sky-input-fraction-005",
    ],
    "visits": ["visits"],
}


@pytest.fixture(scope="module")
def page(tract_data: TractData) -> ReportPage:
    """The page of a tract of which everything is there."""
    return make_tract_page(tract_data)


def figures_of(page: ReportPage) -> dict[str, list[str]]:
    return {
        section.name: [figure.name for figure in section.figures]
        for section in page.sections
        if section.figures
    }


def text_of(page: ReportPage) -> str:
    """The HTML without its pictures, whose letters mean nothing."""
    return re.sub(r"data:image/png;base64,[^\"]*", "", render_page(page))


def left_out(page: ReportPage) -> list[str]:
    return [sentence for section in page.sections for sentence in section.left_out]


def section_of(page: ReportPage, name: str) -> PageSection:
    return next(section for section in page.sections if section.name == name)


def without_figures(data: TractData, **changes: Any) -> TractData:
    """The data without what figures are drawn of: these take their time."""
    return dataclasses.replace(
        data,
        cells=None,
        inputs=None,
        maps={},
        example=None,
        thresholds={},
        patch_thresholds={},
        **changes,
    )


def test_a_report_shows_everything_with_words(page: ReportPage) -> None:
    """Every figure has a text for who does not see it, and one that says what it is."""
    assert figures_of(page) == FIGURES
    assert left_out(page) == []
    for section in page.sections:
        for figure in section.figures:
            assert figure.alt.endswith(".")
            assert len(figure.caption) > 40


def test_maps_of_visits_are_small_and_together(tract_data: TractData) -> None:
    """Each has its name and unit; those that are missing are named below."""
    alone = {name: tract_data.maps[name] for name in tract_data.visit_maps}
    more = dataclasses.replace(
        tract_data, cells=None, inputs=None, example=None, thresholds={}, patch_thresholds={},
        maps=alone, visit_maps=(*alone, "dcr_e1_map_mean"),
    )  # fmt: skip
    (figure,) = section_of(make_tract_page(more), "visits").figures
    assert "airmass_map_mean: Airmass, weighted mean. " in figure.caption
    assert figure.caption.endswith("There is no deepCoaddCell_dcr_e1_map_mean.")
    drawn = draw_visit_maps(alone, title="Tract 0")
    epoch, airmass, empty = drawn.axes[:3]
    assert epoch.get_title() == "epoch_map_mean (d - 60549)"
    assert airmass.get_title() == "airmass_map_mean"
    assert not empty.axison
    counts = np.unique(np.asarray(tract_data.cells_once["visit_count"], np.float64))
    drawn_image = epoch.get_images()[0].get_array()
    assert isinstance(drawn_image, np.ma.MaskedArray)
    shown = drawn_image.compressed()
    assert set(np.unique(np.round(10.0 * shown, 6))) <= set(counts)
    assert drawn.get_supxlabel() == "offset to the west (deg)"


def test_a_report_loads_quickly(page: ReportPage) -> None:
    """Below 5 MB, as it is sent by mail and opened on phones."""
    assert len(render_page(page)) < 5e6


def test_key_numbers_are_of_the_cells_each_once(page: ReportPage, tract_data: TractData) -> None:
    """With units; the area is that of the inner regions."""
    numbers = dict(page.key_numbers)
    once = tract_data.cells_once
    assert numbers["Patches"] == "4"
    assert numbers["Filled cells, each once"] == str(len(once))
    assert numbers["Area"] == f"{len(once) * 16 / 3600:.1f} arcmin²"
    assert numbers["Median depth, 5 sigma"] == f"{np.median(once['depth']):.2f} AB mag"
    assert numbers["Median variance"].endswith(" nJy²")
    assert numbers["Median PSF FWHM"].endswith(" arcsec")
    assert tract_data.inputs is not None
    used = tract_data.inputs["visit"][tract_data.inputs["accepted"]]
    assert numbers["Visits used"] == str(len(set(used)))


def test_provenance_says_what_was_changed_and_where_the_data_are(page: ReportPage) -> None:
    """The changed setting on its own, all of them, versions, files, and code to get at them."""
    made = {table.name: table for table in section_of(page, "provenance").tables}
    assert list(made) == ["changed-settings", "settings", "packages"]
    assert [list(row) for row in made["changed-settings"].rows] == [
        ["assembleCellCoadd", "psf_dimensions", "41", "35"]
    ]
    assert len(made["settings"].rows) == 2
    assert [list(row) for row in made["packages"].rows] == [["cellcoadd", "0.1.0"]]
    data = section_of(page, "data")
    assert data.code == "butler = Butler.from_config('REPO')"
    assert [table.name for table in data.tables] == ["collections", "files"]


def test_who_knows_runs_and_no_files_says_so(tract_data: TractData) -> None:
    """A task sees datasets and their runs; what it does not see is one sentence on the page."""
    provenance = Provenance(
        packages={"astropy": "7.1", "numpy": "2.3.1"},
        packages_of="the process that made this page",
        runs=[("deepCoaddCell", "tract 0, patch 24, band i", "u/me/run")],
        left_out=["Left out: settings."],
    )
    page = make_tract_page(without_figures(tract_data, provenance=provenance))
    (runs,) = section_of(page, "data").tables
    assert (runs.name, runs.rows) == ("runs", provenance.runs)
    made = section_of(page, "provenance")
    assert made.left_out == ["Left out: settings."]
    assert made.tables[0].caption == (
        "Versions of the 2 packages in the process that made this page."
    )


def test_refused_inputs_are_on_the_page(page: ReportPage) -> None:
    """By reason, by visit, by detector."""
    names = [table.name for table in section_of(page, "refused").tables]
    assert names == ["reasons", "visits", "refused"]


def test_an_empty_repository_gives_a_page_that_names_what_is_missing() -> None:
    """A sentence for each figure and table, and nothing fails."""
    from cellcoadd.cell_grid import Index2D

    nothing = make_tract_page(
        TractData(
            skymap="small",
            tract=0,
            band="i",
            grid_shape=Index2D(x=5, y=5),
            outer_width=32,
            cell_area_arcmin2=1.0,
            provenance=Provenance(repository="REPO"),
        )
    )
    assert figures_of(nothing) == {}
    sentences = left_out(nothing)
    assert len(sentences) == sum(map(len, FIGURES.values())) + 3
    missing = " ".join(sentences)
    for name in ("", "_table", "_inputTable", "_depth_map", "_input_fraction_005_map"):
        assert f"There is no deepCoaddCell{name}" in missing
    assert "The collections hold no record of them." in missing
    assert "Left out" in render_page(nothing)


def test_a_table_without_a_column_leaves_out_its_figures_only(
    tract_data: TractData, cells: Table
) -> None:
    """Tables of an older version have no depth: the maps of it can be there all the same."""
    old = cells.copy()
    old.remove_columns(["depth", "masked_fraction"])
    page = make_tract_page(dataclasses.replace(tract_data, cells=old, maps={}))
    assert "depth" not in figures_of(page)
    assert figures_of(page)["variance"] == ["variance-map", "variance-inputs"]
    assert (
        "Left out: Depth of each cell of tract 0, patch 24, i band. deepCoaddCell_table has no "
        "depth." in left_out(page)
    )
    assert any("has no masked_fraction." in sentence for sentence in left_out(page))
    assert "Median depth, 5 sigma" not in dict(page.key_numbers)


def test_a_table_that_is_not_that_of_the_coadd_is_not_shown_beside_it(
    tract_data: TractData,
) -> None:
    """The table of another patch alone, or an old one; the page says what does not fit."""
    assert tract_data.example is not None
    assert tract_data.cells is not None
    patch = tract_data.example.identifiers.patch
    elsewhere = tract_data.cells[np.asarray(tract_data.cells["patch"]) != patch]
    mine = tract_data.cells[np.asarray(tract_data.cells["patch"]) == patch]
    for cells, reason in (
        (elsewhere, f"has no cell of patch {patch}"), (mine[1:], "make the table anew"),
    ):  # fmt: skip
        page = make_tract_page(dataclasses.replace(tract_data, cells=cells, maps={}))
        assert any(reason in text for text in left_out(page))
        names = [name for figures in figures_of(page).values() for name in figures]
        assert "mask-fractions" not in names
        assert "input-histogram" in names


def test_without_a_coadd_the_patch_with_the_most_cells_is_shown(
    tract_data: TractData, coadd: MultipleCellCoadd
) -> None:
    """Maps of a patch's cells come from the table."""
    alone = dataclasses.replace(tract_data, example=None)
    cells = tract_data.cells
    assert cells is not None
    patches, counts = np.unique(cells["patch"], return_counts=True)
    assert alone.example_patch == patches[np.argmax(counts)]
    assert set(alone.example_cells["patch"]) == {alone.example_patch}
    assert tract_data.example_patch == coadd.identifiers.patch
    assert alone.lacks_example() == "There is no deepCoaddCell."


def test_asking_for_cells_that_are_not_there_says_which_table_lacks(
    tract_data: TractData,
) -> None:
    """Instead of failing somewhere inside."""
    with pytest.raises(ValueError, match="There is no deepCoaddCell_table"):
        _ = dataclasses.replace(tract_data, cells=None).cells_once


def summary(data: TractData, tract: int, band: str = "i") -> TractSummary:
    return TractSummary(
        skymap="small",
        tract=tract,
        band=band,
        page=f"small_{tract}_{band}.html",
        cells=data.cells_once,
        patches=4,
        thresholds=data.thresholds,
        outer_width=32,
    )


def test_the_index_leads_to_the_reports_and_compares_tracts(tract_data: TractData) -> None:
    """Tracts of one band stand side by side; a band with one tract has nothing to compare."""
    tracts = [summary(tract_data, 1), summary(tract_data, 2), summary(tract_data, 1, band="r")]
    index = make_index_page(tracts)
    (table,) = section_of(index, "tracts").tables
    assert [row[0] for row in table.rows] == [
        PageLink(text="tract 1, i band", target="small_1_i.html"),
        PageLink(text="tract 2, i band", target="small_2_i.html"),
        PageLink(text="tract 1, r band", target="small_1_r.html"),
    ]
    depth = float(np.median(tract_data.cells_once["depth"]))
    assert [row[6] for row in table.rows] == [depth] * 3
    assert figures_of(index) == {
        "small-i": ["small-i-variance-mean", "small-i-depth", "small-i-thresholds"]
    }
    render_page(index)


def test_the_index_takes_tracts_without_tables(tract_data: TractData) -> None:
    """They have a row with dashes."""
    bare = dataclasses.replace(summary(tract_data, 2), cells=None, thresholds={}, patches=0)
    index = make_index_page([summary(tract_data, 1), bare])
    (table,) = section_of(index, "tracts").tables
    assert list(table.rows[1][3:]) == [None] * 5
    assert figures_of(index) == {}


def test_a_report_on_counts_says_counts(tract_data: TractData, cells: Table) -> None:
    """No nJy is on the page, and instead of depths a sentence says why there are none."""
    counted = cells.copy()
    for name, power in (("variance_mean", 2), ("variance_median", 2), ("weight_sum", -2)):
        counted[name].unit = u.count**power
    counted["depth"] = np.full(len(counted), np.nan)
    data = dataclasses.replace(
        tract_data,
        cells=counted,
        example=None,
        maps={name: made for name, made in tract_data.maps.items() if name != "depth"},
    )
    page = make_tract_page(data)
    assert "depth" not in figures_of(page)
    reasons = [text for text in left_out(page) if "epth" in text]
    assert len(reasons) == 3
    for text in reasons:
        assert text.endswith("the coadds are in counts, their variances in counts².")
    html = text_of(page)
    assert "nJy" not in html
    assert "counts²" in html
    assert dict(page.key_numbers)["Median variance"].endswith(" counts²")
    entry = TractSummary(
        skymap="small", tract=0, band="i", page="a.html", cells=counted, patches=4, thresholds={},
        outer_width=32,
    )  # fmt: skip
    index = text_of(make_index_page([entry, dataclasses.replace(entry, tract=1)]))
    assert "counts²" in index
    assert "nJy" not in index
    figure = draw_variance_map(data.example_cells, data.grid_shape)
    assert "counts$^2$" in " ".join(axes.get_ylabel() for axes in figure.axes)


def test_patches_without_a_cell_come_first(tract_data: TractData, page: ReportPage) -> None:
    """With the reason; a tract without any has no such section."""
    why = "No cell of tract 0, patch 3 of small is filled: no image touches one."
    told = make_tract_page(without_figures(tract_data, empty_patches=[why]))
    assert told.sections[0].heading == "Patches without a cell"
    assert list(told.sections[0].texts) == [why]
    assert all(section.name != "empty" for section in page.sections)
