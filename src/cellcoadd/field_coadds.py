"""From a pile of image files to coadds: a target is found or given, and coadded patch by patch.

What ``cellcoadd coadd`` does, without a Butler. Images are told apart by band; each band has a
coadd on each patch that its images touch.
"""

from __future__ import annotations

__all__ = ["CoaddFormat", "FieldCoadd", "Job", "coadd_job", "jobs_of"]

import dataclasses
import enum
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lsst.sphgeom import ConvexPolygon, UnitVector3d

from .coaddition.settings import CoaddSettings
from .comparison.settings import ComparisonSettings
from .errors import UnusableInputError
from .exchange.lsst_cell_coadds.writing import check_lsst_cell_coadds_unit
from .exchange.plain_fits import plain_fits_paths, write_plain_fits
from .field_targets import corners_of
from .files.sealing import seal_file
from .files.writing import whole_file
from .image_files import ImageFile
from .products.cell_coadd import MultipleCellCoadd
from .products.flux_units import common_flux_unit
from .recipes import coadd_files
from .skymap import Patch, SkyMap, overlapping_patches
from .skymap.tangent_plane import directions_from_sky
from .surveys import Reader
from .warping.settings import WarpSettings


class CoaddFormat(enum.StrEnum):
    """In which form a coadd is written."""

    CELLS = "cells"
    """All cells with their borders, PSFs and inputs: a `MultipleCellCoadd`."""
    STITCHED = "stitched"
    """The inner regions as one image: `CellCoadd` of lsst.images, Rubin's public type."""
    RUBIN = "lsst-cell-coadds"
    """A file of the Rubin pipelines' ``lsst.cell_coadds``."""
    PLAIN = "plain"
    """The inner regions as an image, a weight map and a mask in plain FITS."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One coadd to be made.

    Parameters
    ----------
    band
        The band.
    sky_map, tract, patch_id
        The target, by name: patches do not travel to other processes.
    paths
        The images of the band that touch it.
    target
        The file to write.
    form
        In which form.
    overwrite
        Replace a file that is there.
    tables
        Whether the tables of cells and inputs are written beside it.
    warp_settings, coadd_settings, artifacts, camera
        As for `recipes.coadd_files`.
    """

    band: str
    sky_map: SkyMap
    tract: int
    patch_id: int
    paths: Sequence[Path]
    target: Path
    form: CoaddFormat
    overwrite: bool
    tables: bool = False
    warp_settings: WarpSettings | None = None
    coadd_settings: CoaddSettings | None = None
    artifacts: ComparisonSettings | None = None
    camera: Reader | None = None

    @property
    def patch(self) -> Patch:
        """The target."""
        return self.sky_map[self.tract].patch(self.patch_id)

    @property
    def table_paths(self) -> dict[str, Path]:
        """Files of the tables ``cells`` and ``inputs``: ``r_0_cells.parquet``."""
        return {
            kind: self.target.with_name(f"{self.target.stem}_{kind}.parquet")
            for kind in ("cells", "inputs")
        }

    @property
    def outputs(self) -> list[Path]:
        """All files that are written."""
        coadds = [self.target]
        if self.form is CoaddFormat.PLAIN:
            coadds = list(plain_fits_paths(self.target).values())
        return coadds + (list(self.table_paths.values()) if self.tables else [])


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldCoadd:
    """What became of a `Job`.

    Parameters
    ----------
    job
        The job.
    n_cells, n_visits, n_inputs
        Filled cells, and visits and detectors of which any went in; 0 if nothing came out.
    refused
        Files that could not be used.
    empty
        If nothing came out, why, and what would help.
    """

    job: Job
    n_cells: int
    n_visits: int
    n_inputs: int
    refused: Sequence[UnusableInputError]
    empty: str = ""


def jobs_of(
    images: Sequence[ImageFile],
    sky_map: SkyMap,
    output: Path,
    *,
    patches: Sequence[tuple[int, int]] | None = None,
    form: CoaddFormat = CoaddFormat.CELLS,
    overwrite: bool = False,
    tables: bool = False,
    **settings: Any,
) -> list[Job]:
    """Return the coadds that images make, by band and patch.

    Parameters
    ----------
    images
        The images.
    sky_map
        The target.
    output
        A file that ends in ``.fits``, for one band and one patch; else a folder.
    patches
        Tracts and patches to make; None: those whose inner region an image touches.
    form, overwrite, tables
        As for `Job`.
    **settings
        ``warp_settings``, ``coadd_settings``, ``artifacts`` and ``camera``.

    Raises
    ------
    FileExistsError
        If a file is there and is not to be replaced.
    ValueError
        If there are several coadds for one file; if images of one coadd are not in one unit, or the
        form cannot say it.
    """
    touched: dict[tuple[str, int, int], list[Path]] = {}
    for image in images:
        band = image.header.observation.band
        for tract, found in overlapping_patches(sky_map, _footprint(image), region="inner"):
            for patch in found:
                if patches is None or (tract, patch) in patches:
                    touched.setdefault((band, tract, patch), []).append(image.path)
    if output.suffix == ".fits" and len(touched) > 1:
        names = ", ".join(f"{band} of patch {patch}" for band, _, patch in sorted(touched))
        raise ValueError(
            f"{output} is one file, but there are {len(touched)} coadds: {names}. Name a folder."
        )
    several = len({tract for _, tract, _ in touched}) > 1
    jobs = []
    for (band, tract, patch), _ in sorted(touched.items()):
        # An image that touches the border of a cell belongs to it, too.
        chosen = [
            image
            for image in images
            if image.header.observation.band == band
            and (tract, patch) in _pairs(overlapping_patches(sky_map, _footprint(image)))
        ]
        unit = common_flux_unit((str(image.path), image.header.flux_unit) for image in chosen)
        if form is CoaddFormat.RUBIN and unit is not None:
            check_lsst_cell_coadds_unit(unit)
        name = f"{band}_{tract}_{patch}.fits" if several else f"{band}_{patch}.fits"
        jobs.append(
            Job(
                band=band,
                sky_map=sky_map,
                tract=tract,
                patch_id=patch,
                paths=[image.path for image in chosen],
                target=output if output.suffix == ".fits" else output / name,
                form=form,
                overwrite=overwrite,
                tables=tables,
                **settings,
            )
        )
    for job in jobs:
        if not overwrite and (there := [path for path in job.outputs if path.exists()]):
            raise FileExistsError(f"{there[0]} exists; --overwrite replaces it.")
    return jobs


def coadd_job(job: Job, *, progress: Callable[[int, int], None] | None = None) -> FieldCoadd:
    """Make a coadd and write it; nothing is written if no cell is filled.

    Parameters
    ----------
    job
        What to make.
    progress
        As for `recipes.coadd_files`.
    """
    result = coadd_files(
        job.paths,
        job.patch,
        warp_settings=job.warp_settings,
        coadd_settings=job.coadd_settings,
        artifacts=job.artifacts,
        camera=job.camera,
        progress=progress,
    )
    coadd = result.coadd
    if coadd is None:
        return FieldCoadd(
            job=job, n_cells=0, n_visits=0, n_inputs=0, refused=result.refused,
            empty=result.why_empty,
        )  # fmt: skip
    job.target.parent.mkdir(parents=True, exist_ok=True)
    _write(coadd, job)
    if job.tables:
        _write_tables(coadd, job)
    used = {entry for cell in coadd.cells.values() for entry in cell.inputs}
    return FieldCoadd(
        job=job,
        n_cells=len(coadd.cells),
        n_visits=len({(entry.instrument, entry.visit) for entry in used}),
        n_inputs=len(used),
        refused=result.refused,
    )


def _write_tables(coadd: MultipleCellCoadd, job: Job) -> None:
    # Loaded when they are needed: a second of the start of a command that does without.
    from .analysis.cell_table import tabulate_cells
    from .analysis.input_table import tabulate_inputs
    from .files.parquet_tables import write_parquet_table

    for kind, table in (("cells", tabulate_cells(coadd)), ("inputs", tabulate_inputs(coadd))):
        write_parquet_table(table, job.table_paths[kind], overwrite=job.overwrite)


def _write(coadd: MultipleCellCoadd, job: Job) -> None:
    match job.form:
        case CoaddFormat.CELLS:
            coadd.write(job.target, overwrite=job.overwrite)
        case CoaddFormat.STITCHED:
            with whole_file(job.target, overwrite=job.overwrite) as unfinished:
                coadd.stitch().write(str(unfinished))
                seal_file(unfinished)
        case CoaddFormat.RUBIN:
            from .exchange.lsst_cell_coadds import write_lsst_cell_coadds

            write_lsst_cell_coadds(coadd, job.target, overwrite=job.overwrite)
        case CoaddFormat.PLAIN:
            write_plain_fits(coadd, job.target, overwrite=job.overwrite)


def _footprint(image: ImageFile) -> ConvexPolygon:
    ra, dec = corners_of(image)
    directions = directions_from_sky(ra=ra, dec=dec)
    return ConvexPolygon.convexHull([UnitVector3d(*map(float, d)) for d in directions])


def _pairs(found: Iterable[tuple[int, Sequence[int]]]) -> set[tuple[int, int]]:
    return {(tract, patch) for tract, patches in found for patch in patches}
