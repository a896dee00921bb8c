"""Datasets whose files are damaged: read whole, each is refused by the name of its file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import healsparse
import numpy as np
import pytest
from astropy.table import Table
from lsst.daf.butler import Butler, DatasetType

from cellcoadd import MultipleCellCoadd, UnusableInputError, tabulate_cells, verify_file
from cellcoadd.butler.repository import make_repository
from cellcoadd.files.fits_units import units_of
from cellcoadd.files.reading import parts_of_sound_files
from cellcoadd.testing.images import make_detector, small_patch
from cellcoadd.warping.direct import DirectWarp

type Products = dict[str, tuple[str, Any]]


@pytest.fixture(scope="module")
def products(cell_coadd: MultipleCellCoadd, direct_warps: list[DirectWarp]) -> Products:
    """One of each kind, by the name of its dataset type, with its storage class."""
    sky = healsparse.HealSparseMap.make_empty(32, 512, np.float32)
    sky[np.arange(5000)] = np.float32(1.5)
    made, warp = direct_warps[0], direct_warps[0].warp
    return {
        "coadd": ("BorderedCellCoadd", cell_coadd),
        "stitched": ("CellCoadd", cell_coadd.stitch()),
        "warp": ("CellCoaddWarp", warp),
        "deepCoadd_directWarp_noise0": ("MaskedImageV2", made.noise[0]),
        "goodSeeingCoadd_directWarp_noise0": ("MaskedImageV2", made.noise[0]),
        "deepCoadd_directWarp_maskedFraction": (
            "ImageV2",
            next(iter(warp.mask_fractions.values())),
        ),
        "image": ("CalibratedImage", make_detector(small_patch())),
        "map": ("HealSparseMap", sky),
        "table": ("ArrowAstropy", tabulate_cells(cell_coadd)),
    }


@pytest.fixture
def repository(products: Products, tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    make_repository(root).close()
    with Butler.from_config(root, writeable=True) as butler:
        butler.collections.register("run")
        for name, (storage_class, product) in products.items():
            kind = DatasetType(name, (), storage_class, universe=butler.dimensions)
            butler.registry.registerDatasetType(kind)
            butler.put(product, kind, run="run")
    return root


def file_of(butler: Butler, name: str) -> Path:
    return Path(butler.getURI(name, collections="run").ospath)


def damage(path: Path) -> None:
    """Change a byte in the middle of the largest HDU, or of the pages of a table."""
    content = bytearray(path.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little")
    place = (len(content) - 8 - footer) // 2
    if path.suffix != ".parq":
        with open(path, "rb") as stream:
            unit = max(units_of(stream), key=lambda unit: unit.size)
        place = unit.address + unit.size // 2
    content[place] ^= 0x10
    path.write_bytes(content)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was made from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def texts_of(error: BaseException) -> str:
    """What they say."""
    return "\n".join("\n".join([str(e), *getattr(e, "__notes__", [])]) for e in chain(error))


def test_every_dataset_is_read_and_its_file_has_checksums(
    repository: Path, products: Products
) -> None:
    """Also under other names than those of the templates that come first."""
    with Butler.from_config(repository) as butler:
        for name, (_, product) in products.items():
            found = butler.get(name, collections="run")
            path = file_of(butler, name)
            if path.suffix != ".parq":
                verdict = verify_file(path)
                assert verdict.sealed == verdict.hdus > 0, name
                assert verdict.damage == ()
            if name in ("coadd", "warp"):
                assert (
                    found.stack.indices == product.stack.indices
                    if name == "coadd"
                    else (found == product)
                )
            if isinstance(product, Table):
                assert found.colnames == product.colnames
                assert found["ra"].unit == product["ra"].unit
                np.testing.assert_array_equal(found["depth"], product["depth"])


@pytest.mark.parametrize(
    "name",
    [
        "coadd", "stitched", "warp", "deepCoadd_directWarp_noise0",
        "goodSeeingCoadd_directWarp_noise0", "deepCoadd_directWarp_maskedFraction", "image", "map",
        "table", "stitched.components", "deepCoadd_directWarp_noise0.components",
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_by_name(repository: Path, name: str) -> None:
    """Whatever was asked for, as long as it was all of it."""
    with Butler.from_config(repository) as butler:
        path = file_of(butler, name.partition(".")[0])
        damage(path)
        with pytest.raises(Exception, match=r".") as caught:
            butler.get(name, collections="run")
    said = texts_of(caught.value)
    assert path.name in said
    assert "damaged" in said or "Parquet" in said


def test_a_part_of_a_damaged_warp_is_refused_where_somebody_wants_sound_files(
    repository: Path, products: Products
) -> None:
    """The assembly reads all of a warp in strips, and does not add up what is damaged."""
    warp = products["warp"][1]
    part = {"bbox": warp.bbox.dilated_by(-20)}
    with Butler.from_config(repository) as butler:
        path = file_of(butler, "warp")
        damage(path)
        butler.get("warp", collections="run", parameters=part)
        with parts_of_sound_files(), pytest.raises(Exception, match=r".") as caught:
            butler.get("warp", collections="run", parameters=part)
        assert path.name in texts_of(caught.value)


@pytest.mark.parametrize("name", ["stitched", "deepCoadd_directWarp_noise0"])
@pytest.mark.parametrize("in_part", [False, True])
def test_what_is_written_of_a_dataset_has_no_old_checksums(
    repository: Path, products: Products, tmp_path: Path, name: str, in_part: bool
) -> None:
    """lsst.images keeps the cards of what it read; of a part as of the whole."""
    with Butler.from_config(repository) as butler:
        parameters = {"bbox": products[name][1].bbox.dilated_by(-3)} if in_part else None
        product = butler.get(name, collections="run", parameters=parameters)
    product.write(str(tmp_path / "again.fits"))
    verdict = verify_file(tmp_path / "again.fits")
    assert verdict.sealed == 0
    assert verdict.damage == ()


def test_a_file_of_a_newer_form_is_refused_with_the_way_out(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a repository as by `read`."""
    monkeypatch.setattr(
        "cellcoadd.products.warp.stored.WarpModel.MIN_READ_VERSION", 2, raising=True
    )
    monkeypatch.setattr(
        "cellcoadd.products.warp.stored.WarpModel.SCHEMA_VERSION", "2.0.0", raising=True
    )
    with Butler.from_config(repository, writeable=True) as butler:
        newer = butler.get("warp", collections="run")
        butler.collections.register("newer")
        butler.put(newer, "warp", run="newer")
        monkeypatch.undo()
        for component in ("", ".masked_image"):
            with pytest.raises(Exception, match=r".") as caught:
                butler.get(f"warp{component}", collections="newer")
            said = texts_of(caught.value)
            assert "a newer version of cellcoadd wrote it" in said
            assert any(isinstance(e, UnusableInputError) for e in chain(caught.value))
