"""Warps and coadds in a repository: whole, in part, and by component."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.images import Background, BackgroundMap, Box, Image, Mask, MaskedImage, Polygon
from lsst.images.fields import ChebyshevField
from lsst.images.fits import FitsInputArchive
from lsst.images.psfs import GaussianPointSpreadFunction

from cellcoadd.butler.instruments import of
from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.cell_grid import Index2D
from cellcoadd.masks.planes import mask_schema
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype
from cellcoadd.products.cell_coadd.stack import CellStack
from cellcoadd.products.equality import same_array
from cellcoadd.products.identifiers import ObservationIdentifiers, PatchIdentifiers
from cellcoadd.products.warp import CELL_INPUT_DTYPE, Warp, WarpInput
from cellcoadd.skymap import Patch, SkyMap
from cellcoadd.testing.images import make_detector

OBSERVATION = ObservationIdentifiers(
    instrument="HSC", visit=1228, detector=0, physical_filter="HSC-I", band="i", day_obs=20240827
)
IDENTIFIERS = PatchIdentifiers(skymap="small", tract=0, patch=0)
NAME = "base_PsfFlux_instFlux"
WHERE: dict[str, Any] = {"skymap": "small", "tract": 0, "patch": 0}


@pytest.fixture
def small(butler: Butler) -> Patch:
    return register_small(butler)


def repository_with_recipe(root: Path, recipe: str) -> Butler:
    """A new repository whose coadds are written in some way."""
    make_repository(root).close()
    config = root / "butler.yaml"
    text = config.read_text()
    assert text.count("recipe: rounded") == 1
    config.write_text(text.replace("recipe: rounded", f"recipe: {recipe}"))
    return Butler.from_config(root, writeable=True)


def register_small(butler: Butler) -> Patch:
    """Register a patch of 4 x 4 cells of 8 + 2 * 2 pixels."""
    skymap = SkyMap.from_definition(
        {
            "kind": "discrete",
            "pixel_scale_arcsec": 0.2,
            "cell_inner_size": 8,
            "cell_border": 2,
            "patch_inner_cells": 2,
            "tracts": [{"ra": 150.1, "dec": 2.2, "radius": 0.0006}],
        },
        name="small",
    )
    register_skymap(butler, skymap)
    of.HSC().register(butler.registry)
    butler.registry.insertDimensionData(
        "physical_filter", {"instrument": "HSC", "name": "HSC-I", "band": "i"}
    )
    butler.collections.register("products")
    return skymap[0].patch(0)


def put(butler: Butler, name: str, storage_class: str, product: object, **data_id: Any) -> None:
    kind = DatasetType(name, data_id, storage_class, universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    butler.put(product, kind, data_id, run="products")


def coadd_of_two_cells(patch: Patch) -> MultipleCellCoadd:
    noise = np.random.default_rng(1).normal(size=(2, 12, 12)).astype(np.float32)
    stamp = np.zeros((2, 5, 5), np.float32)
    stamp[:, 2, 2] = 1.0
    contributions = np.zeros(1, contribution_dtype())
    contributions["cell_x"] = 1
    contributions["reason"] = RefusalReason.ACCEPTED
    return MultipleCellCoadd(
        identifiers=IDENTIFIERS,
        band="i",
        patch=patch.definition,
        cell_border=2,
        sky_projection=patch.sky_projection,
        stack=CellStack(
            indices=(Index2D(x=1, y=0), Index2D(x=2, y=1)),
            image=noise,
            variance=np.ones_like(noise),
            mask=np.zeros(noise.shape, np.int32),
            schema=mask_schema(),
            mask_fractions={},
            noise=np.zeros((0, *noise.shape), np.float32),
            psf=stamp,
            noise_covariance=3.0 * stamp,
            aperture_corrections={NAME: np.array([0.95, np.nan])},
        ),
        inputs=[
            CoaddInput(
                observation=OBSERVATION,
                footprint=patch.outer_bbox.to_polygon(),
                mean_variance_njy2=1.0,
            )
        ],
        contributions=contributions,
    )


def warp_of_one_detector(patch: Patch) -> Warp:
    box = patch.outer_bbox
    footprint = box.to_polygon()
    assert isinstance(footprint, Polygon)
    return Warp(
        MaskedImage(
            Image(np.arange(box.area, dtype=np.float32).reshape(box.shape), bbox=box, unit=u.nJy),
            mask=Mask(0, schema=mask_schema(), bbox=box),
            variance=Image(2.0, bbox=box, dtype=np.float32, unit=u.nJy**2),
            sky_projection=patch.sky_projection,
        ),
        identifiers=IDENTIFIERS,
        patch=patch.definition,
        cell_border=2,
        inputs=[
            WarpInput(
                observation=OBSERVATION,
                bbox=box,
                sky_projection=patch.sky_projection,
                footprint=footprint,
                mean_variance_njy2=2.0,
                psf=GaussianPointSpreadFunction(2.0, bounds=box, stamp_size=21),
            )
        ],
        owner=np.zeros(box.shape, np.uint8),
        cell_inputs=np.zeros(0, CELL_INPUT_DTYPE),
        stamps=np.ones((2, 3, 3), np.float32),
        aperture_corrections={NAME: np.array([0.95, np.nan]), f"{NAME}Err": np.array([0.01, 0.02])},
    )


def test_every_component_of_a_coadd_can_be_read(butler: Butler, small: Patch) -> None:
    """What the configuration declares is offered to users; each must be what the coadd has."""
    coadd = coadd_of_two_cells(small)
    put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    where = {"band": "i", **WHERE}
    declared = butler.storageClasses.getStorageClass("BorderedCellCoadd").derivedComponents
    got = {name: butler.get(f"coadd.{name}", where, collections="products") for name in declared}
    for name in ("grid", "patch", "bbox", "mask"):
        assert got[name] == getattr(coadd, name)
    np.testing.assert_allclose(got["image"].array, coadd.image.array, atol=1e-3)
    np.testing.assert_array_equal(got["variance"].array, coadd.variance.array)
    part = coadd.bbox.dilated_by(-3)
    bits = butler.get("coadd.mask", where, collections="products", parameters={"bbox": part})
    assert bits == coadd.mask[part]
    for name in ("wcs", "sky_projection"):
        sky = got[name].pixel_to_sky(x=1.0, y=2.0)
        assert sky.separation(coadd.wcs.pixel_to_sky(x=1.0, y=2.0)).arcsec < 1e-6
    assert got["inputs"][0].observation == OBSERVATION
    assert got["contributions"].dtype == coadd.contributions.dtype
    assert type(got["psf"]).__name__ == "CellPsf"
    assert type(got["provenance"]).__name__ == "CoaddProvenance"


def test_aperture_corrections_of_a_coadd_come_back(butler: Butler, small: Patch) -> None:
    """NaN, where an input of the cell has none, is a value like any other; a cell leaves it out."""
    coadd = coadd_of_two_cells(small)
    put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    where = {"band": "i", **WHERE}
    got = butler.get("coadd", where, collections="products")
    assert set(got.stack.aperture_corrections) == {NAME}
    np.testing.assert_array_equal(got.stack.aperture_corrections[NAME], [0.95, np.nan])
    first, second = coadd.cells
    assert got.cells[first].aperture_corrections == {NAME: 0.95}
    assert got.cells[second].aperture_corrections == {}
    box = coadd.grid.inner_bbox_of(first)
    part = butler.get("coadd", where, collections="products", parameters={"bbox": box})
    np.testing.assert_array_equal(part.stack.aperture_corrections[NAME], [0.95])


def test_a_box_of_a_coadd_is_its_cells_there(butler: Butler, small: Patch) -> None:
    """A look at one cell must not read the patch."""
    coadd = coadd_of_two_cells(small)
    put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    index = Index2D(x=2, y=1)
    part = butler.get(
        "coadd",
        {"band": "i", **WHERE},
        collections="products",
        parameters={"bbox": coadd.grid.inner_bbox_of(index)},
    )
    assert list(part.cells) == [index]
    assert part.cells[index].inputs == coadd.cells[index].inputs
    again = butler.get(
        "coadd", {"band": "i", **WHERE}, collections="products", parameters={"cells": [index]}
    )
    assert again == part


def test_cells_are_read_in_the_quick_way(
    butler: Butler, small: Patch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is, without astropy's objects of the planes, which take most of the time."""
    coadd = coadd_of_two_cells(small)
    put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    monkeypatch.delattr(FitsInputArchive, "get_array")
    index = Index2D(x=2, y=1)
    where = {"band": "i", **WHERE}
    part = butler.get("coadd", where, collections="products", parameters={"cells": [index]})
    assert list(part.cells) == [index]


def test_coadds_are_rounded_far_below_their_noise(butler: Butler, small: Patch) -> None:
    """By default; what is not noise is kept to the bit."""
    coadd = coadd_of_two_cells(small)
    put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    got = butler.get("coadd", {"band": "i", **WHERE}, collections="products")
    difference = np.abs(got.stack.image - coadd.stack.image)
    # The deviation from pixel to pixel is estimated from 144 pixels of standard deviation 1.
    assert 0.0 < difference.max() < 1.5 / 2048
    assert same_array(got.stack.variance, coadd.stack.variance)  # constant
    assert same_array(got.stack.mask, coadd.stack.mask)
    assert same_array(got.stack.psf, coadd.stack.psf)


@pytest.mark.parametrize("recipe", ["lossless", "uncompressed"])
def test_coadds_are_kept_to_the_bit_where_the_repository_says_so(
    tmp_path: Path, recipe: str
) -> None:
    """One line of butler.yaml."""
    with repository_with_recipe(tmp_path / "repo", recipe) as butler:
        coadd = coadd_of_two_cells(register_small(butler))
        put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
        assert butler.get("coadd", {"band": "i", **WHERE}, collections="products") == coadd


def test_a_recipe_that_is_none_is_refused(tmp_path: Path) -> None:
    """With the ones that there are, and without a file."""
    with repository_with_recipe(tmp_path / "repo", "zipped") as butler:
        coadd = coadd_of_two_cells(register_small(butler))
        with pytest.raises(RuntimeError) as caught:
            put(butler, "coadd", "BorderedCellCoadd", coadd, band="i", **WHERE)
    assert "'rounded', 'lossless', 'uncompressed'" in str(caught.value.__cause__)
    assert "got 'zipped'" in str(caught.value.__cause__)
    assert not list((tmp_path / "repo").rglob("*.fits"))


def test_every_component_of_a_warp_can_be_read(butler: Butler, small: Patch) -> None:
    """The planes one by one, also in a box; the geometry without pixels."""
    warp = warp_of_one_detector(small)
    put(butler, "warp", "CellCoaddWarp", warp, **WHERE)
    declared = butler.storageClasses.getStorageClass("CellCoaddWarp").derivedComponents
    got = {name: butler.get(f"warp.{name}", WHERE, collections="products") for name in declared}
    for name in ("grid", "patch", "bbox"):
        assert got[name] == getattr(warp, name)
    np.testing.assert_array_equal(got["image"].array, warp.masked_image.image.array)
    np.testing.assert_array_equal(got["variance"].array, warp.masked_image.variance.array)
    assert got["mask"].schema == warp.masked_image.mask.schema
    start = warp.bbox.start
    box = Box.from_shape((3, 4), start=(start[0] + 1, start[1] + 2))
    cutout = butler.get("warp.image", WHERE, collections="products", parameters={"bbox": box})
    np.testing.assert_array_equal(cutout.array, warp.masked_image.image[box].array)
    planes = butler.get(
        "warp.masked_image", WHERE, collections="products", parameters={"bbox": box}
    )
    assert planes.bbox == box


def test_a_warp_comes_back_as_it_was(butler: Butler, small: Patch) -> None:
    """The task that coadds reads whole warps."""
    warp = warp_of_one_detector(small)
    put(butler, "warp", "CellCoaddWarp", warp, **WHERE)
    got = butler.get("warp", WHERE, collections="products")
    assert isinstance(got, Warp)
    assert [entry.observation for entry in got.inputs] == [OBSERVATION]
    np.testing.assert_array_equal(got.masked_image.image.array, warp.masked_image.image.array)
    assert set(got.aperture_corrections) == {NAME, f"{NAME}Err"}
    for name, values in warp.aperture_corrections.items():
        np.testing.assert_array_equal(got.aperture_corrections[name], values)


def test_corrections_and_backgrounds_of_an_image_can_be_read_alone(
    butler: Butler, small: Patch
) -> None:
    """To see which models there are to choose from needs no pixels."""
    image = make_detector(small, width=30, height=20)
    field = ChebyshevField(image.bbox, np.array([[0.95, 0.01]]))
    image = dataclasses.replace(
        image,
        aperture_corrections={NAME: field},
        backgrounds=BackgroundMap([Background("sky", field)], subtracted="sky"),
    )
    put(butler, "image", "CalibratedImage", image, **WHERE)
    assert butler.get("image.aperture_corrections", WHERE, collections="products") == {NAME: field}
    backgrounds = butler.get("image.backgrounds", WHERE, collections="products")
    assert backgrounds["sky"].field == field
    assert backgrounds.subtracted.name == "sky"


def test_a_report_is_an_html_file_with_its_very_text(butler: Butler, small: Patch) -> None:
    """A browser opens it as it is; accents, units and ends of lines come back as they were."""
    page = "<!DOCTYPE html>\n<p>1.2 arcmin\u00b2, \N{EN DASH}, nJy\r\n</p>"
    where = {"skymap": "small", "tract": 0, "band": "i"}
    put(butler, "page", "CellReport", page, **where)
    file = butler.getURI("page", where, collections="products")
    assert file.getExtension() == ".html"
    assert file.read() == page.encode("utf-8")
    found = butler.get("page", where, collections="products")
    assert type(found) is str
    assert found == page
