"""`cellcoadd coadd`: image files in, coadds out, without a repository."""

from __future__ import annotations

__all__ = ["coadd"]

import concurrent.futures
import dataclasses
import logging
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..kernels.kernel_names import RECOMMENDED_KERNEL, WARPING_KERNELS

if TYPE_CHECKING:
    from ..comparison.settings import ComparisonSettings
    from ..errors import UnusableInputError
    from ..field_coadds import FieldCoadd, Job
    from ..image_files import ImageFile
    from ..skymap import SkyMap
    from ..surveys import Reader

_STEPS = 1000  # of the bar of one coadd


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGES...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A file that ends in .fits, for one coadd; else a folder, with BAND_PATCH.fits for each.",
)
@click.option(
    "--camera", metavar="NAME|FILE",
    help="What the images are like, if they are plain FITS: the name of a camera, or a YAML file. "
    "All images are read so.",
)  # fmt: skip
@click.option(
    "--measure-psf",
    is_flag=True,
    help="Measure PSFs from the stars of each image, in place of what --camera says of them.",
)
@click.option(
    "--subtract-sky", type=click.IntRange(min=16), metavar="PX",
    help="Measure the sky of each image on cells of so many pixels and subtract it, in place of "
    "what --camera says of it; 128 is usual.",
)  # fmt: skip
@click.option(
    "--format",
    "form",
    type=click.Choice(["cells", "stitched", "lsst-cell-coadds", "plain"]),
    default="cells",
    show_default=True,
    help="All cells with borders, PSFs and inputs; the inner regions as one CellCoadd of "
    "lsst.images; a file of Rubin's lsst.cell_coadds; or image, weight and mask in plain FITS.",
)
@click.option("--scale", type=float, metavar="ARCSEC", help="Pixels [default: the images' own].")
@click.option(
    "--center", "--centre", "centre", type=float, nargs=2, metavar="RA DEC",
    help="Middle of the field in degrees; with --size [default: the images'].",
)  # fmt: skip
@click.option("--size", type=float, metavar="ARCMIN", help="Side of the field; with --center.")
@click.option(
    "--like", type=click.Path(path_type=Path), metavar="FITS",
    help="Take the pixels of this image, a tangent plane at any angle; all of it is coadded.",
)  # fmt: skip
@click.option(
    "--cell-size", type=click.IntRange(min=1), metavar="PX",
    help="Inner size of a cell [default: 150, less for small images].",
)  # fmt: skip
@click.option(
    "--cell-border", type=click.IntRange(min=0), metavar="PX",
    help="Border of a cell [default: 50, less for small images].",
)  # fmt: skip
@click.option("--skymap", metavar="NAME|FILE", help="A sky map, named or one's own in YAML.")
@click.option("--tract", type=int, help="A tract of the sky map [default: all that are touched].")
@click.option("--patch", "patches", type=int, multiple=True, help="A patch of it; repeatable.")
@click.option(
    "--psf-size", type=click.IntRange(min=1), metavar="PX",
    help="Side of the images of PSFs, odd [default: 35].",
)  # fmt: skip
@click.option(
    "--kernel", type=click.Choice(list(WARPING_KERNELS)), default=RECOMMENDED_KERNEL,
    show_default=True, help="Kernel that images are resampled with.",
)  # fmt: skip
@click.option(
    "--psf-fwhm", type=float, metavar="ARCSEC",
    help="Convolve each cell so that its PSF is a round Gaussian of this FWHM, for colours: choose "
    "what all bands reach [default: each cell keeps its own].",
)  # fmt: skip
@click.option(
    "--artifacts", type=click.Choice(["compare", "gradient"]),
    help="Leave out what only one or two visits have seen, satellites and the like; gradient is "
    "quick, for visits of one seeing [default: only what masks know].",
)  # fmt: skip
@click.option(
    "--noise", type=click.IntRange(0, 3), default=0, help="Noise realizations to add up along."
)
@click.option("--tables", is_flag=True, help="Write tables of cells and inputs beside each coadd.")
@click.option("--report", is_flag=True, help="Write pages with figures, into the folder `report`.")
@click.option("-j", "--processes", type=click.IntRange(min=1), default=1, show_default=True,
              help="Coadds that are made at the same time.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def coadd(
    images: tuple[str, ...],
    output: Path,
    camera: str | None,
    measure_psf: bool,
    subtract_sky: int | None,
    form: str,
    scale: float | None,
    centre: tuple[float, float] | None,
    size: float | None,
    like: Path | None,
    cell_size: int | None,
    cell_border: int | None,
    skymap: str | None,
    tract: int | None,
    patches: tuple[int, ...],
    psf_size: int | None,
    psf_fwhm: float | None,
    kernel: str,
    artifacts: str | None,
    noise: int,
    tables: bool,
    report: bool,
    processes: int,
    overwrite: bool,
) -> None:
    """Make cell-based coadds of image files.

    IMAGES are files, folders, patterns in quotes, or @LIST: a file with one of these a line. What
    belongs to an image (weight, mask, calibration) is found beside it. There is one coadd for each
    band and each patch; fields that are larger than a patch are split. A file that cannot be used
    is named with the reason, and the others go on.

    \b
    Exit status
      0  coadds were made, of all images
      1  no coadd was made
      2  the arguments are wrong
      3  coadds were made, but not of all images: those left out are named
    """
    from ..errors import CellCoaddError

    if skymap is None and (tract is not None or patches):
        raise click.UsageError("--tract and --patch need --skymap.")
    if skymap is not None and (scale, centre, size, like, cell_size, cell_border) != (None,) * 6:
        raise click.UsageError("A sky map has its own pixels, cells and fields.")
    if like is not None and (scale, centre, size) != (None,) * 3:
        raise click.UsageError("--like says what --scale, --center and --size do.")
    if patches and tract is None:
        raise click.UsageError("--patch needs --tract.")
    if camera is None and (measure_psf or subtract_sky is not None):
        raise click.UsageError("--measure-psf and --subtract-sky need --camera.")
    try:
        from .._jit import compiling_note
        from ..field_coadds import CoaddFormat, jobs_of
        from ..field_targets import field_target, target_like
        from ..image_files import expand
        from ..surveys import named_reader

        reader = None
        if camera is not None:
            reader = named_reader(camera, measure_psf=measure_psf, sky_mesh=subtract_sky)
        found, refused = _headers(expand(images, camera=reader), reader)
        if not found:
            _tell_refused(refused)
            raise click.ClickException("There is no image that can be used.")
        if like is not None:
            target = target_like(like, found, cell_size=cell_size, cell_border=cell_border)
        elif skymap is None:
            target = field_target(
                found, pixel_scale=scale, centre=centre, size_arcmin=size, cell_size=cell_size,
                cell_border=cell_border,
            )  # fmt: skip
        else:
            target = _sky_map(skymap)
        chosen = None if tract is None else _chosen(target, tract, patches)
        jobs = jobs_of(
            found, target, output, patches=chosen, form=CoaddFormat(form), overwrite=overwrite,
            tables=tables or report, camera=reader, artifacts=_artifacts(artifacts),
            **_settings(kernel, noise, psf_size, psf_fwhm),
        )  # fmt: skip
    except (ValueError, FileExistsError, CellCoaddError) as error:
        raise click.UsageError(str(error)) from error
    _log_less()
    _tell_plan(found, jobs, target)
    if (note := compiling_note()) is not None:
        click.echo(note, err=True)
    try:
        made = _make(jobs, processes)
    except (CellCoaddError, OSError) as error:
        raise click.ClickException(str(error)) from error
    refused += [error for one in made for error in one.refused]
    _tell_made(made)
    _tell_refused(refused)
    if not any(one.n_cells for one in made):
        raise click.ClickException("No coadd was made: no cell of the target is covered.")
    if report:
        _write_reports(made, output)
    if refused:
        raise click.exceptions.Exit(3)


def _headers(
    paths: Sequence[Path], camera: Reader | None
) -> tuple[list[ImageFile], list[UnusableInputError]]:
    from ..image_files import read_headers

    with click.progressbar(length=len(paths), label="Looking at files", file=sys.stderr) as bar:
        return read_headers(
            paths,
            camera=camera,
            progress=lambda done, total: bar.update(1),  # noqa: ARG005
        )


def _sky_map(name: str) -> SkyMap:
    from ..skymap import load_sky_map, named_sky_map

    path = Path(name)
    return load_sky_map(path, name=path.stem) if path.is_file() else named_sky_map(name)


def _chosen(target: SkyMap, tract: int, patches: Sequence[int]) -> list[tuple[int, int]]:
    numbers = patches or range(target[tract].patch_shape.x * target[tract].patch_shape.y)
    return [(tract, target[tract].patch(number).id) for number in numbers]


def _settings(
    kernel: str, noise: int, psf_size: int | None, psf_fwhm: float | None
) -> dict[str, Any]:
    from ..coaddition.settings import CoaddSettings
    from ..warping.settings import PIPELINE_WARPING, ResamplingSettings

    return {
        "warp_settings": dataclasses.replace(
            PIPELINE_WARPING,
            number_of_noise_realizations=noise,
            resampling=ResamplingSettings(kernel=kernel),
        ),
        "coadd_settings": CoaddSettings(
            num_noise_realizations=noise,
            psf_dimensions=CoaddSettings().psf_dimensions if psf_size is None else psf_size,
            matched_psf_fwhm=psf_fwhm,
        ),
    }


def _artifacts(method: str | None) -> ComparisonSettings | None:
    from ..comparison.settings import ComparisonSettings

    return None if method is None else ComparisonSettings(method=method)


def _tell_plan(found: Sequence[ImageFile], jobs: Sequence[Job], target: SkyMap) -> None:
    from ..products.flux_units import unit_label

    settings = target.settings
    bands = sorted({image.header.observation.band for image in found})
    units = sorted({unit_label(image.header.flux_unit) for image in found})
    click.echo(
        f"{_count(len(found), 'image')}, band {', '.join(bands)}: {_count(len(jobs), 'coadd')} in "
        f"{' and '.join(units)}, with pixels of "
        f'{settings.pixel_scale_arcsec:.4g}" and cells of {settings.cell_inner_size} px with a '
        f"border of {settings.cell_border} px."
    )


def _make(jobs: Sequence[Job], processes: int) -> list[FieldCoadd]:
    from ..field_coadds import coadd_job

    total = _STEPS * len(jobs)
    with click.progressbar(
        length=total, label="Coadding", file=sys.stderr, show_eta=True, show_pos=False
    ) as bar:
        if processes == 1 or len(jobs) == 1:
            made = []
            for number, job in enumerate(jobs):
                made.append(coadd_job(job, progress=_Advance(bar, number * _STEPS)))
                bar.update((number + 1) * _STEPS - bar.pos)
            return made
        # Threads and locks of this process are not to be copied into the others.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(
            processes, mp_context=context, initializer=_log_less
        ) as pool:
            futures = [pool.submit(coadd_job, job) for job in jobs]
            for _ in concurrent.futures.as_completed(futures):
                bar.update(_STEPS)
            return [future.result() for future in futures]


def _log_less() -> None:
    """Keep out of the log what the summary says in the end: images left out, empty patches."""
    logging.getLogger("cellcoadd.recipes").setLevel(logging.ERROR)


class _Advance:
    """Moves a bar on as the files of one coadd are done."""

    def __init__(self, bar: click.progressbar, start: int) -> None:  # type: ignore[valid-type]
        self._bar = bar
        self._start = start

    def __call__(self, done: int, total: int) -> None:
        place = self._start + _STEPS * done // max(total, 1)
        self._bar.update(max(place - self._bar.pos, 0))  # type: ignore[attr-defined]


def _write_reports(made: Sequence[FieldCoadd], output: Path) -> None:
    from ..field_report import write_field_reports

    folder = output.parent if output.suffix == ".fits" else output
    for written in write_field_reports(made, folder / "report"):
        click.echo(f"{written.page}: {len(written.figures)} figures")


def _tell_made(made: Sequence[FieldCoadd]) -> None:
    for one in made:
        if one.n_cells:
            click.echo(
                f"{one.job.target}: band {one.job.band}, {_count(one.n_cells, 'cell')} of "
                f"{_count(one.n_visits, 'visit')}, {one.n_inputs} of "
                f"{_count(len(one.job.paths), 'image')} in one of them"
            )
        else:
            click.echo(
                f"{one.job.target}: not written, no cell is covered by any of "
                f"{_count(len(one.job.paths), 'image')}"
            )
            click.echo(f"Warning: {one.empty}", err=True)


def _tell_refused(refused: Sequence[UnusableInputError]) -> None:
    for error in refused:
        click.echo(f"Left out: {error}", err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
