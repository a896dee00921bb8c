"""Files that last: each version is read to what was written, and what a newer one says is clear."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from lsst.images.serialization import (
    available_schema_classes,
    check_frozen_schemas,
    class_for_schema,
)

from cellcoadd import (
    CalibratedImage,
    CoaddSettings,
    Index2D,
    MultipleCellCoadd,
    UnusableInputError,
    Warp,
    read,
    verify_file,
)
from cellcoadd.analysis.noise_factor import noise_factor
from cellcoadd.coaddition.assemble import VisitOnPatch, assemble_cell_coadd
from cellcoadd.files.sealing import seal_file
from cellcoadd.testing.images import small_patch

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
FORMS = ROOT / "tests" / "reference_values" / "stored_forms"
VERSIONS = ("1.0", "1.0-with-covariances", "1.1", "1.2", "1.3")
FILES = sorted(
    (version, path.name.removesuffix(".fits.gz"))
    for version in VERSIONS
    for path in (FORMS / version).glob("*.fits.gz")
)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that wrote the files, and the values from what it had in memory."""
    spec = importlib.util.spec_from_file_location("make_files", FORMS / "make_files.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number_of(version: str) -> str:
    """Major and minor number of the version of a folder."""
    return version.partition("-")[0]


def unpacked(version: str, name: str, folder: Path) -> Path:
    path = folder / f"{name}.fits"
    path.write_bytes(gzip.decompress((FORMS / version / f"{name}.fits.gz").read_bytes()))
    return path


def values_in(version: str, name: str) -> dict[str, Any]:
    text = (FORMS / version / "values.json").read_text(encoding="utf-8")
    values: dict[str, Any] = json.loads(text)[name]
    return values


def approximate(values: dict[str, Any]) -> dict[str, Any]:
    """Positions and PSFs are worked out, in whatever order a machine adds up."""
    return {
        key: pytest.approx(value, rel=1e-12)
        if "sky" in key or "middle of the PSF" in key
        else value
        for key, value in values.items()
    }


def test_there_is_a_file_of_each_product_in_each_version() -> None:
    """And each states the version of its folder."""
    for version in VERSIONS:
        names = {name for found, name in FILES if found == version}
        assert names >= {"calibrated_image", "warp1", "warp2", "coadd"}
        for name in names:
            with gzip.open(FORMS / version / f"{name}.fits.gz") as stream:
                model = fits.Header.fromfile(stream)["DATAMODL"]
            assert model.rpartition("-")[2].startswith(f"{number_of(version)}.")


@pytest.mark.parametrize(("version", "name"), FILES)
def test_a_file_of_each_version_has_the_values_that_were_written(
    version: str, name: str, maker: ModuleType, tmp_path: Path
) -> None:
    """By one call; arrays to the bit."""
    product = read(unpacked(version, name, tmp_path))
    kind = {"calibrated": CalibratedImage, "warp": Warp, "coadd": MultipleCellCoadd}
    assert isinstance(product, next(k for start, k in kind.items() if name.startswith(start)))
    found, written = maker.values_of(product), values_in(version, name)
    written["digests"] = found["digests"] | written["digests"]  # what a version did not know
    assert found == approximate(written)


@pytest.mark.parametrize("version", VERSIONS)
def test_parts_of_a_file_of_each_version_are_those_of_the_whole(
    version: str, tmp_path: Path
) -> None:
    """Read in the quick way, which looks at how things lie in a file."""
    whole = MultipleCellCoadd.read(path := unpacked(version, "coadd", tmp_path))
    for index in whole.cells:
        assert MultipleCellCoadd.read(path, cells=[index]) == whole.subset([index])
    warp = Warp.read(path := unpacked(version, "warp2", tmp_path))
    box = warp.bbox.dilated_by(-9)
    part = Warp.read(path, bbox=box)
    np.testing.assert_array_equal(part.image.array, warp[box].image.array)


def test_what_the_first_version_did_not_know_is_unknown(tmp_path: Path) -> None:
    """The covariance of noise is NaN, not zero, and stays so in what is made of it."""
    warp = Warp.read(unpacked("1.0", "warp1", tmp_path))
    assert len(warp.noise_covariances) == len(warp.stamps) > 0
    assert np.isnan(warp.noise_covariances).all()
    coadd = assemble_cell_coadd(
        [VisitOnPatch(warp=warp)], small_patch(), settings=CoaddSettings(psf_dimensions=9)
    )
    assert coadd is not None
    assert np.isnan(coadd.stack.noise_covariance[:, 4, 4]).all()
    stored = MultipleCellCoadd.read(unpacked("1.0", "coadd", tmp_path))
    cell = stored.cells[Index2D(x=1, y=1)]
    assert np.isnan(cell.noise_covariance.array).all()
    assert np.isnan(noise_factor(cell.psf_image, cell.noise_covariance))
    image = read(unpacked("1.0", "calibrated_image", tmp_path))
    assert not image.aperture_corrections
    assert not image.backgrounds
    assert image.backgrounds.subtracted is None
    known = MultipleCellCoadd.read(unpacked("1.0-with-covariances", "coadd", tmp_path))
    assert np.isfinite(known.stack.noise_covariance).all()


def test_files_before_checksums_are_said_to_have_none(tmp_path: Path) -> None:
    """Those of 1.1 have them, and are as they were written."""
    assert verify_file(unpacked("1.0", "coadd", tmp_path)).sealed == 0
    verdict = verify_file(unpacked("1.1", "coadd", tmp_path))
    assert verdict.sealed == verdict.hdus
    assert verdict.damage == ()


def changed(path: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a file with another tree, which takes no more bytes than its own."""
    with fits.open(path, disable_image_compression=True, memmap=False) as hdus:
        row = hdus["JSON"].data[0][0]
        tree = json.loads(row.tobytes())
        change(tree)
        text = json.dumps(tree, separators=(",", ":")).encode()
        row[:] = np.frombuffer(text.ljust(len(row)), np.uint8)
        hdus[0].header["DATAMODL"] = tree["schema_url"]
        hdus.writeto(target)
    seal_file(target)
    return target


def state(version: str, *, needs: int, **fields: Any) -> Callable[[dict[str, Any]], None]:
    """Have a tree say that it is of a version, read by those of a number and above."""

    def change(tree: dict[str, Any]) -> None:
        tree |= {"schema_version": version, "min_read_version": needs, **fields}
        tree["schema_url"] = f"{tree['schema_url'].rpartition('-')[0]}-{version}"

    return change


def current(name: str) -> str:
    """The version in which a product is written now."""
    kind = {"coadd": "multiple_cell_coadd", "warp1": "warp"}.get(name, name)
    form = class_for_schema(f"cellcoadd_{kind}")
    assert form is not None
    return form.SCHEMA_VERSION


@pytest.mark.parametrize(
    ("name", "kind"), [("coadd", MultipleCellCoadd), ("warp1", Warp), ("calibrated_image", None)]
)
def test_a_file_of_a_newer_form_is_refused(
    name: str, kind: type[Any] | None, tmp_path: Path
) -> None:
    """An old version of this package does not guess what a new one has written."""
    path = unpacked("1.1", name, tmp_path)
    newer = changed(path, tmp_path / "newer.fits", state("2.0.0", needs=2))
    for reader in (read, *([] if kind is None else [kind.read])):
        with pytest.raises(UnusableInputError) as caught:
            reader(newer)
        assert "newer.fits" in str(caught.value)
        assert "2.0.0" in str(caught.value)
        assert "newer version of cellcoadd" in str(caught.value)
        assert f"this one reads {current(name)}" in str(caught.value)


def test_a_file_with_what_may_be_ignored_is_read(tmp_path: Path) -> None:
    """A minor version adds what older readers need not know: all else is the same."""
    path = unpacked("1.1", "coadd", tmp_path)
    whole = MultipleCellCoadd.read(path)

    def change(tree: dict[str, Any]) -> None:
        state("1.9.0", needs=1, extra=[1])(tree)
        tree["planes"][0]["description"] = ""  # makes room for the new field

    newer = MultipleCellCoadd.read(changed(path, tmp_path / "newer.fits", change))
    assert newer.inputs == whole.inputs
    for name, array in whole.stack.named_arrays().items():
        np.testing.assert_array_equal(newer.stack.named_arrays()[name], array)


def test_a_form_that_says_nothing_of_its_version_is_refused(tmp_path: Path) -> None:
    """Nobody wrote such files; taking them for the newest would be a guess."""
    path = unpacked("1.1", "coadd", tmp_path)
    bare = changed(path, tmp_path / "bare.fits", lambda tree: tree.pop("schema_version"))
    with pytest.raises(UnusableInputError, match=r"bare\.fits"):
        MultipleCellCoadd.read(bare)


def test_the_schemas_of_today_are_frozen() -> None:
    """A change of a stored form is a new version: `make schemas` writes its schema.

    Forms of lsst.images stand inside of ours, so that this is held under the versions in
    constraints.txt; another lsst.images, or pydantic, may word them otherwise.
    """
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for package in ("lsst-images", "pydantic"):
        if f"{package}=={importlib.metadata.version(package)}" not in pinned:
            pytest.skip(f"{package} is not of the version in constraints.txt")
    assert check_frozen_schemas(SCHEMAS, package="cellcoadd") == []
    assert len(available_schema_classes("cellcoadd")) == 5


def test_every_version_ever_written_has_its_schema_and_its_files() -> None:
    """What a folder of files states is described, and what is described has files."""
    described = {path.stem.rpartition("-")[2] for path in SCHEMAS.rglob("*.json")}
    numbers = {version.rpartition(".")[0] for version in described}
    assert numbers == {number_of(version) for version in VERSIONS}
    assert {folder.name for folder in FORMS.iterdir() if folder.is_dir()} - {"__pycache__"} == set(
        VERSIONS
    )


@pytest.mark.parametrize(("version", "name"), FILES)
def test_files_are_of_their_schema(version: str, name: str, tmp_path: Path) -> None:
    """The fields that a schema requires are in the file, and it has no others."""
    with fits.open(unpacked(version, name, tmp_path), disable_image_compression=True) as hdus:
        tree = json.loads(hdus["JSON"].data[0][0].tobytes())
    schema_name = tree["schema_url"].rsplit("/", 1)[-1]
    path = SCHEMAS / schema_name.rpartition("-")[0] / f"{schema_name}.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert set(tree) >= set(schema["required"])
    if version != "1.0-with-covariances":  # more than the first form, and of the same version
        assert set(tree) - {"schema_url"} <= set(schema["properties"])
