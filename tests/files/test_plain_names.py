"""HealSparse maps can be kept under any name that a folder or a sky map has."""

from __future__ import annotations

from pathlib import Path

import healsparse
import numpy as np
import pytest

import cellcoadd
from cellcoadd.files.plain_names import plain_name, plain_name_to_write


@pytest.mark.parametrize(
    "name",
    ["plain", "field (deep)", "a[1]", "b{2}", "c+1", "d;e", "!f", "g%20h", "µ", "{[(", "a b"],
)
def test_a_map_is_written_and_read_under_any_name(tmp_path: Path, name: str) -> None:
    """CFITSIO takes these for instructions: the file would be cut out, or lie elsewhere."""
    folder = tmp_path / name
    folder.mkdir()
    path = folder / f"{name}.hsp"
    made = healsparse.HealSparseMap.make_empty(32, 64, np.float32)
    made.update_values_pix(np.arange(5), np.arange(5, dtype=np.float32))
    with plain_name_to_write(path) as plain:
        made.write(plain, clobber=True)
    assert [file.name for file in folder.iterdir()] == [path.name]
    assert not path.is_symlink()
    assert cellcoadd.read(path)[3] == 3.0


def test_a_plain_name_is_left_as_it_is(tmp_path: Path) -> None:
    """A link is made only where it is needed."""
    with plain_name(tmp_path / "map_1.hsp") as plain:
        assert plain == str(tmp_path / "map_1.hsp")
    with plain_name(tmp_path / "map (1).hsp") as other:
        assert Path(other).readlink() == tmp_path / "map (1).hsp"
    assert not Path(other).parent.exists()
