"""The map of inputs says, for a position on the sky, what its cell adds up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import healsparse
import hpgeom
import numpy as np
import numpy.typing as npt
import pytest
from lsst.daf.butler import Butler, DatasetType
from lsst.images import Polygon

from cellcoadd.butler.register_skymap import register_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.cell_grid import Index2D
from cellcoadd.coaddition.assemble import VisitOnPatch
from cellcoadd.coaddition.input_map import NSIDE_COVERAGE, make_input_map
from cellcoadd.masks.planes import mask_schema
from cellcoadd.products.cell_coadd import MultipleCellCoadd
from cellcoadd.products.cell_coadd.inputs import CoaddInput, RefusalReason, contribution_dtype
from cellcoadd.products.cell_coadd.stack import CellStack
from cellcoadd.products.identifiers import ObservationIdentifiers, PatchIdentifiers
from cellcoadd.simulate import Camera, SurveyPlan, VisitPlan, simulate_survey
from cellcoadd.skymap import Patch, SkyMap
from cellcoadd.surveys.rubin import calibrated_image_from_visit_image
from cellcoadd.tasks import AssembleCellCoaddConfig, AssembleCellCoaddTask
from cellcoadd.tasks.assemble_cell_coadd import AssembleCellCoaddConnections
from cellcoadd.warping.direct import make_direct_warp
from cellcoadd.warping.settings import WarpSettings

NSIDE = 2**17  # pixels of 1.6 arcsec

SKY_MAP = SkyMap.from_definition(
    {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.5,
        "rotation": 20.0,
        "cell_inner_size": 24,
        "cell_border": 4,
        "patch_inner_cells": 3,
        "tracts": [
            {"ra": 359.9995, "dec": -62.0, "radius": 0.012},
            {"ra": 120.0, "dec": 89.99, "radius": 0.012},
        ],
    },
    name="small",
)
"""Cells of 12 arcsec, the first tract across the meridian of right ascension 0, the second at the
pole. A patch has 5 x 5 cells and shares two rows or columns of them with each neighbour."""

type Contribution = tuple[Index2D, int, RefusalReason]


def observation(number: int) -> ObservationIdentifiers:
    return ObservationIdentifiers(
        instrument="HSC" if number % 2 else "LSSTCam",
        visit=1000 + number // 3,
        detector=number % 3,
        physical_filter="HSC-I2",
        band="i",
        day_obs=20240827,
    )


def coadd_with(patch: Patch, contributions: Iterable[Contribution]) -> MultipleCellCoadd:
    """A coadd of these contributions, its pixels all 0. Input n has the weight n + 0.5."""
    table = list(contributions)
    filled = sorted({index for index, _, reason in table if reason is RefusalReason.ACCEPTED})
    rows = np.zeros(len(table), contribution_dtype())
    for row, (index, number, reason) in zip(rows, table, strict=True):
        row["cell_x"], row["cell_y"] = index.x, index.y
        row["input"], row["reason"], row["weight"] = number, reason, number + 0.5
    side = patch.grid.outer_cell_shape.x
    plane = np.zeros((len(filled), side, side), np.float32)
    return MultipleCellCoadd(
        identifiers=PatchIdentifiers(skymap=patch.skymap, tract=patch.tract, patch=patch.id),
        band="i",
        patch=patch.definition,
        cell_border=patch.grid.border,
        sky_projection=patch.sky_projection,
        stack=CellStack(
            indices=tuple(filled),
            image=plane,
            variance=plane,
            mask=plane.astype(np.int32),
            schema=mask_schema(),
            mask_fractions={},
            noise=plane[np.newaxis][:0],
            psf=np.ones((len(filled), 1, 1), np.float32),
            noise_covariance=np.ones((len(filled), 1, 1), np.float32),
        ),
        inputs=[
            CoaddInput(
                observation=observation(number),
                footprint=Polygon(x_vertices=[0.0, 1.0, 0.0], y_vertices=[0.0, 0.0, 1.0]),
                mean_variance_njy2=1.0 / (number + 0.5),
            )
            for number in range(1 + max(number for _, number, _ in table))
        ],
        contributions=rows,
    )


def random_coadd(patch: Patch, *, seed: int, inputs: int) -> MultipleCellCoadd:
    """Each cell takes some inputs, refuses others and knows nothing of the rest; a few take none.

    The first and the last input are refused everywhere.
    """
    rng = np.random.default_rng(seed)
    contributions = []
    for index in patch.grid:
        takes_any = rng.random() < 0.8
        for number in range(inputs):
            if rng.random() < 0.3:
                continue
            accepted = takes_any and 0 < number < inputs - 1 and rng.random() < 0.5
            reason = RefusalReason.ACCEPTED if accepted else RefusalReason(int(rng.integers(1, 5)))
            contributions.append((index, number, reason))
    return coadd_with(patch, contributions)


def bits_by_input(made: healsparse.HealSparseMap) -> dict[tuple[str, int, int], int]:
    """The bit of each (instrument, visit, detector), as the metadata say."""
    return {
        (made.metadata[f"B{bit:04d}INS"], made.metadata[f"B{bit:04d}VIS"], detector): bit
        for bit in range(made.wide_mask_maxbits)
        if (detector := made.metadata.get(f"B{bit:04d}CCD")) is not None
    }


def pixels_around(patch: Patch, nside: int) -> npt.NDArray[np.int64]:
    """All HEALPix pixels of a patch and well beyond it."""
    box = patch.outer_bbox
    centre = patch.sky_projection.pixel_to_sky(x=box.x.center, y=box.y.center)
    radius = 0.5 * np.hypot(*box.shape) * SKY_MAP.settings.pixel_scale_arcsec / 3600.0
    pixels: npt.NDArray[np.int64] = hpgeom.query_circle(
        nside, centre.ra.deg, centre.dec.deg, 1.2 * radius
    )
    return pixels


@pytest.mark.parametrize("tract", [0, 1], ids=["across-ra-0", "at-the-pole"])
@pytest.mark.parametrize("inputs", [5, 19], ids=["one-byte", "three-bytes"])
def test_a_pixel_has_the_inputs_of_the_cell_that_holds_its_centre(tract: int, inputs: int) -> None:
    """Checked pixel by pixel with the projection as linear algebra and the table of the coadd."""
    patch = SKY_MAP[tract].patch(0)
    coadd = random_coadd(patch, seed=inputs, inputs=inputs)
    made = make_input_map(coadd, nside_sparse=NSIDE, nside_coverage=512)
    accepted: dict[tuple[int, int], set[int]] = {}
    for row in coadd.contributions[coadd.contributions["reason"] == RefusalReason.ACCEPTED]:
        accepted.setdefault((row["cell_x"], row["cell_y"]), set()).add(int(row["input"]))
    pixels = pixels_around(patch, NSIDE)
    ra, dec = hpgeom.pixel_to_angle(NSIDE, pixels)
    x, y = patch.plane.sky_to_pixel(ra=ra, dec=dec)
    bits = bits_by_input(made)
    found: list[set[int]] = [set() for _ in pixels]
    for number in range(inputs):
        entry = observation(number)
        bit = bits.get((entry.instrument, entry.visit, entry.detector))
        if bit is not None:
            for row in np.nonzero(made.check_bits_pix(pixels, [bit]))[0]:
                found[row].add(number)
    expected: list[set[int]] = [set() for _ in pixels]
    for index in patch.grid:
        box = patch.grid.inner_bbox_of(index)
        inside = (box.x.start - 0.5 <= x) & (x < box.x.stop - 0.5)
        inside &= (box.y.start - 0.5 <= y) & (y < box.y.stop - 0.5)
        for row in np.nonzero(inside)[0]:
            expected[row] |= accepted.get((index.x, index.y), set())
    assert found == expected
    assert made.n_valid == sum(map(bool, expected)) > 500


def test_only_inputs_that_a_cell_took_have_a_bit() -> None:
    """The first and the last were refused everywhere; bits keep the order of the inputs."""
    coadd = random_coadd(SKY_MAP[0].patch(0), seed=3, inputs=7)
    made = make_input_map(coadd, nside_sparse=NSIDE)
    expected = [observation(number) for number in range(1, 6)]
    assert list(bits_by_input(made)) == [(o.instrument, o.visit, o.detector) for o in expected]
    assert [made.metadata[f"B{bit:04d}WT"] for bit in range(5)] == [1.5, 2.5, 3.5, 4.5, 5.5]
    assert {made.metadata[f"B{bit:04d}FIL"] for bit in range(5)} == {"HSC-I2"}
    assert len(made.metadata) == 5 * 5


def test_neighbouring_cells_do_not_overlap_and_leave_no_gap() -> None:
    """Each cell takes one input of its own, so every pixel inside of all of them has one bit."""
    patch = SKY_MAP[0].patch(0)
    coadd = coadd_with(
        patch, [(index, n, RefusalReason.ACCEPTED) for n, index in enumerate(patch.grid)]
    )
    made = make_input_map(coadd, nside_sparse=NSIDE)
    pixels = pixels_around(patch, NSIDE)
    bits = [made.check_bits_pix(pixels, [bit]) for bit in range(len(patch.grid))]
    ra, dec = hpgeom.pixel_to_angle(NSIDE, pixels)
    x, y = patch.plane.sky_to_pixel(ra=ra, dec=dec)
    box = patch.grid.bbox
    inside = (box.x.start - 0.5 <= x) & (x < box.x.stop - 0.5)
    inside &= (box.y.start - 0.5 <= y) & (y < box.y.stop - 0.5)
    np.testing.assert_array_equal(np.sum(bits, axis=0), inside.astype(int))


def test_a_cell_has_its_area_in_pixels() -> None:
    """Only pixels that cross the cell's outline can be counted wrongly.

    They lie within the radius of a pixel of it, so the area is off by at most that times its
    length; the projection changes areas by some 1e-7 so near to the tract's centre.
    """
    patch = SKY_MAP[0].patch(0)
    coadd = coadd_with(
        patch, [(index, n, RefusalReason.ACCEPTED) for n, index in enumerate(patch.grid)]
    )
    nside = 2**18
    made = make_input_map(coadd, nside_sparse=nside)
    area = hpgeom.nside_to_pixel_area(nside) * 3600.0**2
    side = 24 * 0.5
    pixels = made.valid_pixels
    for bit in range(len(patch.grid)):
        covered = area * np.count_nonzero(made.check_bits_pix(pixels, [bit]))
        assert abs(covered - side**2) < 4.0 * side * hpgeom.max_pixel_radius(nside) * 3600.0
    total = area * made.n_valid
    whole = side * patch.grid.shape.x
    assert total == pytest.approx(
        whole**2, abs=4.0 * whole * hpgeom.max_pixel_radius(nside) * 3600.0
    )


def test_a_cell_out_of_two_patches_has_the_same_pixels() -> None:
    """Maps of the patches of a tract can be put together: shared cells agree pixel by pixel."""
    tract = SKY_MAP[0]
    left, right = tract.patch(0), tract.patch(1)
    maps = []
    for patch in (left, right):
        shared = [index for index in patch.grid if is_shared(patch, index, left, right)]
        assert len(shared) == 2 * patch.grid.shape.y
        coadd = coadd_with(
            patch, [(index, n, RefusalReason.ACCEPTED) for n, index in enumerate(shared)]
        )
        maps.append(make_input_map(coadd, nside_sparse=NSIDE))
    pixels = maps[0].valid_pixels
    assert len(pixels) > 500
    np.testing.assert_array_equal(pixels, maps[1].valid_pixels)
    np.testing.assert_array_equal(maps[0].get_values_pix(pixels), maps[1].get_values_pix(pixels))


def is_shared(patch: Patch, index: Index2D, *patches: Patch) -> bool:
    box = patch.grid.inner_bbox_of(index)
    return all(other.grid.bbox.contains(box) for other in patches)


def test_a_map_coarser_than_the_cells_can_be_empty() -> None:
    """No pixel of 14 arcmin has its centre in a cell of 12 arcsec: nothing, and no error."""
    coadd = random_coadd(SKY_MAP[0].patch(0), seed=1, inputs=4)
    made = make_input_map(coadd, nside_sparse=256)
    assert made.n_valid == 0
    assert made.metadata["B0000VIS"] == 1000


@pytest.mark.parametrize(
    ("nside_sparse", "nside_coverage", "message"),
    [
        (30000, 256, "nside_sparse must be a power of two in 1..2^29, got 30000"),
        (32768, 0, "nside_coverage must be a power of two in 1..2^29, got 0"),
        (2**30, 256, "nside_sparse must be a power of two"),
        (128, 256, "nside_sparse = 128 must not be less than nside_coverage = 256"),
    ],
)
def test_impossible_resolutions_are_refused(
    nside_sparse: int, nside_coverage: int, message: str
) -> None:
    """healsparse itself fails on them late and in its own words, or not at all."""
    coadd = random_coadd(SKY_MAP[0].patch(0), seed=1, inputs=4)
    with pytest.raises(ValueError, match=message.replace("^", r"\^")):
        make_input_map(coadd, nside_sparse=nside_sparse, nside_coverage=nside_coverage)
    config = AssembleCellCoaddConfig()  # type: ignore[no-untyped-call]
    config.input_mapper.nside = nside_sparse
    config.input_mapper.nside_coverage = nside_coverage
    with pytest.raises(ValueError, match=message.replace("^", r"\^")):
        config.validate()


@pytest.fixture
def butler(tmp_path: Path) -> Iterable[Butler]:
    with make_repository(tmp_path / "repo") as made:
        register_skymap(made, SKY_MAP, tracts=[0])
        made.registry.insertDimensionData(
            "instrument", {"name": "HSC", "class_name": "cellcoadd.butler.instruments.of.HSC"}
        )
        made.registry.insertDimensionData(
            "physical_filter", {"instrument": "HSC", "name": "HSC-I2", "band": "i"}
        )
        made.collections.register("maps")
        yield made


def test_a_repository_gives_back_the_map_and_its_metadata(butler: Butler) -> None:
    """FITS headers keep 15 digits of a weight, all else as it is."""
    coadd = random_coadd(SKY_MAP[0].patch(0), seed=9, inputs=19)
    made = make_input_map(coadd, nside_sparse=NSIDE)
    data_id = {"skymap": "small", "tract": 0, "patch": 0, "band": "i"}
    kind = DatasetType(
        "deepCoaddCell_inputMap", tuple(data_id), "HealSparseMap", universe=butler.dimensions
    )
    butler.registry.registerDatasetType(kind)
    butler.put(made, kind, data_id, run="maps")
    read = butler.get("deepCoaddCell_inputMap", data_id, collections="maps")
    assert read.is_wide_mask_map
    assert (read.nside_sparse, read.nside_coverage) == (NSIDE, NSIDE_COVERAGE)
    np.testing.assert_array_equal(read.valid_pixels, made.valid_pixels)
    np.testing.assert_array_equal(
        read.get_values_pix(read.valid_pixels), made.get_values_pix(made.valid_pixels)
    )
    assert {key: read.metadata[key] for key in made.metadata} == pytest.approx(made.metadata)


def test_the_task_makes_the_map_of_its_coadd_if_asked() -> None:
    """Off by default, and then neither made nor declared, as with any other output."""
    patch = SKY_MAP[0].patch(0)
    centre = patch.plane.to_fits_wcs().pixel_to_world(
        patch.grid.bbox.x.center, patch.grid.bbox.y.center
    )
    plan = SurveyPlan(
        visits=(
            VisitPlan(visit=1, rotation=10.0, seeing=1.6),
            VisitPlan(visit=2, dither_east=20.0, seeing=1.6),
        ),
        camera=Camera(columns=1, rows=1, width=140, height=120, pixel_scale=0.5),
        ra=float(centre.ra.deg),
        dec=float(centre.dec.deg),
        sky=None,
        artifacts=None,
    )
    visits = []
    for visit_image in simulate_survey(plan):
        image = calibrated_image_from_visit_image(visit_image)
        made = make_direct_warp([image], patch, settings=WarpSettings())
        assert made is not None
        visits.append(VisitOnPatch(warp=made.warp))

    config = AssembleCellCoaddConfig()  # type: ignore[no-untyped-call]
    plain = AssembleCellCoaddTask(config=config)
    assert "input_map" not in AssembleCellCoaddConnections(config=config).outputs
    assert not hasattr(plain.run(visits=visits, patch=patch), "input_map")

    config = AssembleCellCoaddConfig()  # type: ignore[no-untyped-call]
    config.do_input_map = True
    config.input_mapper.nside = NSIDE
    connections = AssembleCellCoaddConnections(config=config)
    assert connections.input_map.name == "deepCoaddCell_inputMap"
    assert connections.input_map.storageClass == "HealSparseMap"
    result = AssembleCellCoaddTask(config=config).run(visits=visits, patch=patch)
    assert len(result.multiple_cell_coadd.cells) > 3
    expected = make_input_map(result.multiple_cell_coadd, nside_sparse=NSIDE)
    np.testing.assert_array_equal(result.input_map.valid_pixels, expected.valid_pixels)
    assert result.input_map.metadata == expected.metadata
    cell = next(iter(result.multiple_cell_coadd.cells.values()))
    middle = cell.inner.sky_projection.pixel_to_sky(
        x=cell.inner.bbox.x.center, y=cell.inner.bbox.y.center
    )
    bits = [bits_by_input(result.input_map)["HSC", o.visit, o.detector] for o in cell.inputs]
    assert bits
    assert result.input_map.check_bits_pos(middle.ra.deg, middle.dec.deg, bits)
