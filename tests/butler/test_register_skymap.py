"""Registering sky maps: what is written, what is left alone, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsst.daf.butler import Butler, Registry

from cellcoadd.butler.register_skymap import register_skymap, registration_cost, stored_skymap
from cellcoadd.butler.repository import make_repository
from cellcoadd.errors import SkyMapConflictError, SkyMapError
from cellcoadd.skymap import SkyMap, named_sky_map
from cellcoadd.testing.repositories import files_of, records_of

HSC = named_sky_map("hsc_rings_cells_v1")


def own_map(name: str = "own", **changes: object) -> SkyMap:
    """A sky map of one small tract of 4 x 4 patches."""
    definition = {
        "kind": "discrete",
        "pixel_scale_arcsec": 0.2,
        "patch_inner_cells": 4,
        "tracts": [{"ra": 150.1, "dec": 2.2, "radius": 0.06}],
    }
    return SkyMap.from_definition(definition | changes, name=name)


def test_records_say_what_the_sky_map_says(butler: Butler) -> None:
    """Queries see these rows, tasks see the map: both must describe one geometry."""
    (record,) = butler.query_dimension_records("skymap")
    assert record.hash.hex() == HSC.sha1
    assert (record.tract_max, record.patch_nx_max, record.patch_ny_max) == (18938, 11, 11)
    (tract,) = butler.query_dimension_records("tract", skymap=HSC.name)
    assert tract.id == 9813
    assert tract.region == HSC[9813].region
    patches = butler.query_dimension_records("patch", skymap=HSC.name, tract=9813)
    assert sorted(patch.id for patch in patches) == list(range(121))
    by_id = {patch.id: patch for patch in patches}
    assert (by_id[50].cell_x, by_id[50].cell_y) == (6, 4)  # the known one of the technote
    assert by_id[50].region == HSC[9813].patch(50).region


def test_registering_again_changes_nothing(butler: Butler, root: Path) -> None:
    """A script that sets up a repository can be run again."""
    before = records_of(butler), files_of(root)
    result = register_skymap(butler, HSC, tracts=[9813])
    assert (result.is_new, result.tracts_added, result.tracts_there) == (False, (), 1)
    assert (records_of(butler), files_of(root)) == before


def test_tracts_can_be_added_later(butler: Butler, root: Path) -> None:
    """New images touch new tracts; the map itself and the old tracts stay as they are."""
    before, files = records_of(butler), files_of(root)
    result = register_skymap(butler, HSC, tracts=[9814, 9813, 9814])
    assert (result.is_new, result.tracts_added, result.tracts_there) == (False, (9814,), 1)
    after = records_of(butler)
    assert [row["id"] for row in after["tract"]] == ["9813", "9814"]
    assert len(after["patch"]) == 242
    assert all(row in after["patch"] for row in before["patch"])
    assert (after["datasets"], files_of(root)) == (before["datasets"], files)


def test_all_tracts_are_registered_unless_some_are_asked_for(butler: Butler) -> None:
    """The default is the whole map."""
    two = own_map(
        tracts=[
            {"ra": 150.1, "dec": 2.2, "radius": 0.06},
            {"ra": 10.0, "dec": -30.0, "radius": 0.06},
        ]
    )
    result = register_skymap(butler, two)
    assert (result.is_new, result.tracts_added, result.tracts_there) == (True, (0, 1), 0)
    assert stored_skymap(butler, "own") == two


def test_another_map_under_the_same_name_is_refused(butler: Butler, root: Path) -> None:
    """Images warped onto one map would be taken for images on the other."""
    register_skymap(butler, own_map())
    before = records_of(butler), files_of(root)
    with pytest.raises(SkyMapConflictError, match=r"pixel_scale_arcsec is 0\.2 there and 0\.3 "):
        register_skymap(butler, own_map(pixel_scale_arcsec=0.3))
    assert (records_of(butler), files_of(root)) == before


def test_the_same_map_under_another_name_is_refused(butler: Butler, root: Path) -> None:
    """The hash of a map is unique in a repository; the message names the one that is there."""
    register_skymap(butler, own_map())
    before = records_of(butler), files_of(root)
    with pytest.raises(SkyMapConflictError, match="registered already, as own;"):
        register_skymap(butler, own_map("twin"))
    assert (records_of(butler), files_of(root)) == before


@pytest.mark.parametrize("tract", [-1, 18938])
def test_a_tract_that_does_not_exist_is_refused_before_anything_is_written(
    butler: Butler, root: Path, tract: int
) -> None:
    """Work everything out, then change state."""
    before = records_of(butler), files_of(root)
    with pytest.raises(SkyMapError, match=f"there is no {tract}"):
        register_skymap(butler, HSC, tracts=[9814, tract])
    assert (records_of(butler), files_of(root)) == before


def test_an_interrupted_registration_can_be_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tract is there with all its patches or not at all."""
    monkeypatch.setattr("cellcoadd.butler.register_skymap._TRACTS_PER_TRANSACTION", 1)
    tracts = [9000, 9001, 9002]
    with make_repository(tmp_path / "repo") as butler:
        registry = type(butler.registry)
        insert = registry.insertDimensionData
        calls: list[str] = []

        def interrupted(self: Registry, element: str, *rows: Any, **options: bool) -> None:
            calls.append(element)
            if calls.count("patch") == 2:
                raise KeyboardInterrupt
            insert(self, element, *rows, **options)

        with monkeypatch.context() as patch:
            patch.setattr(registry, "insertDimensionData", interrupted)
            with pytest.raises(KeyboardInterrupt):
                register_skymap(butler, HSC, tracts=tracts)
        assert [row["id"] for row in records_of(butler)["tract"]] == ["9000"]
        result = register_skymap(butler, HSC, tracts=tracts)
        assert (result.tracts_added, result.tracts_there) == ((9001, 9002), 1)
        assert len(records_of(butler)["patch"]) == 3 * 121


def test_the_cost_is_that_of_all_patches() -> None:
    """The forecast must tell eight tracts from eighteen thousand."""
    seconds, size = registration_cost(HSC, 18938)
    assert 60 < seconds < 3600
    assert 0.5e9 < size < 5e9
    assert registration_cost(HSC, 1)[0] == pytest.approx(seconds / 18938)
