"""Sky maps by name and from YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cellcoadd.errors import SkyMapError
from cellcoadd.skymap import (
    Circle,
    DiscreteSkyMap,
    RingsSkyMap,
    SkyMap,
    TractSettings,
    load_sky_map,
    named_sky_map,
    sky_map_names,
)

FOUR_LINES = """\
name: cosmos_cells
kind: discrete
pixel_scale_arcsec: 0.2
tracts: [{ra: 150.12, dec: 2.21, radius: 0.8}]
"""

DISCRETE: dict[str, Any] = yaml.safe_load(FOUR_LINES)
RINGS: dict[str, Any] = {"name": "r", "kind": "rings", "num_rings": 10, "pixel_scale_arcsec": 20.0}


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_four_lines_are_enough(tmp_path: Path) -> None:
    """The example of the documentation, in the terms of the class."""
    skymap = load_sky_map(write(tmp_path, FOUR_LINES))
    assert skymap.name == "cosmos_cells"
    assert skymap == DiscreteSkyMap(
        name="any",
        tracts=[Circle(ra=150.12, dec=2.21, radius=0.8)],
        settings=TractSettings(pixel_scale_arcsec=0.2),
    )
    assert skymap[0].contains(ra=150.9, dec=2.21)


def test_the_name_is_the_argument_or_the_key_or_the_file(tmp_path: Path) -> None:
    """In this order."""
    path = write(tmp_path, FOUR_LINES)
    assert load_sky_map(path, name="given").name == "given"
    assert load_sky_map(path).name == "cosmos_cells"
    assert load_sky_map(write(tmp_path, FOUR_LINES.partition("\n")[2])).name == "mine"


definitions = st.builds(
    lambda settings, placement: {**settings, **placement},
    st.fixed_dictionaries(
        {"pixel_scale_arcsec": st.floats(0.05, 5.0)},
        optional={
            "tract_overlap": st.floats(0.0, 1.0),
            "rotation": st.floats(-180, 180),
            "cell_inner_size": st.integers(1, 500),
            "cell_border": st.integers(0, 100),
            "patch_inner_cells": st.integers(1, 30),
            "patch_border_cells": st.integers(0, 3),
        },
    ),
    st.one_of(
        st.fixed_dictionaries(
            {"kind": st.just("rings"), "num_rings": st.integers(3, 200)},
            optional={"ra_start": st.floats(0, 360)},
        ),
        st.fixed_dictionaries(
            {
                "kind": st.just("discrete"),
                "tracts": st.lists(
                    st.fixed_dictionaries(
                        {
                            "ra": st.floats(-360, 360),
                            "dec": st.floats(-90, 90),
                            "radius": st.floats(0.01, 5),
                        }
                    ),
                    min_size=1,
                    max_size=4,
                ),
            }
        ),
    ),
)


@given(definition=definitions)
@settings(deadline=None, max_examples=60)
def test_definitions_survive_yaml(definition: dict[str, Any]) -> None:
    """What a repository stores gives back the same map: numbers to the last bit, and the name."""
    skymap = SkyMap.from_definition(definition, name="some_map")
    stored = yaml.safe_load(yaml.safe_dump(skymap.to_definition()))
    again = SkyMap.from_definition(stored)
    assert again == skymap
    assert again.name == "some_map"
    assert again.to_definition() == skymap.to_definition()
    assert type(again) is type(skymap)
    for key, value in definition.items():
        assert skymap.to_definition()[key] == value


def test_every_setting_goes_into_the_digest() -> None:
    """Two maps that differ in one number are different maps."""
    changes: list[dict[str, Any]] = [
        {},
        {"num_rings": 11},
        {"ra_start": 1.0},
        {"pixel_scale_arcsec": 21.0},
        {"tract_overlap": 0.01},
        {"rotation": 1.0},
        {"cell_inner_size": 151},
        {"cell_border": 51},
        {"patch_inner_cells": 21},
        {"patch_border_cells": 2},
    ]
    assert len({SkyMap.from_definition(RINGS | change).sha1 for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (["a"], r"The definition must be a mapping of keys to values, got \['a'\]"),
        ({"kind": "rings"}, "num_rings is missing|pixel_scale_arcsec is missing"),
        ({k: v for k, v in RINGS.items() if k != "kind"}, "kind is missing"),
        (RINGS | {"kind": "ring"}, "kind must be one of discrete, rings; got 'ring'"),
        (RINGS | {"num_rings": 10.5}, "num_rings must be a whole number, got 10.5"),
        (RINGS | {"num_rings": True}, "num_rings must be a whole number, got True"),
        (RINGS | {"num_rings": 0}, "num_rings must be in 1..100000, got 0"),
        (RINGS | {"cell_boarder": 50}, "cell_boarder is not a key .* did you mean 'cell_border'"),
        (RINGS | {"zzz": 50}, r"zzz is not a key of this definition; known: \['cell_border'"),
        (RINGS | {"tracts": []}, "tracts is not a key"),
        (RINGS | {"cell_border": -1}, "cell_border must be at least 0, got -1"),
        (RINGS | {"pixel_scale_arcsec": "2e-1"}, "must be a number, got '2e-1' .*decimal point"),
        (RINGS | {"rotation": None}, "rotation must be a number, got None"),
        (RINGS | {"name": 7}, "name must be a text, got 7"),
        (RINGS | {"name": 65 * "x"}, r"must have 1\.\.64 characters"),
        (RINGS | {"name": " x"}, "no blanks at its ends, got ' x'"),
        (DISCRETE | {"tracts": []}, "tracts must be a list that is not empty"),
        (DISCRETE | {"tracts": [3]}, r"tracts\[0\] must be a mapping"),
        (DISCRETE | {"tracts": [{"ra": 1, "dec": 2}]}, r"tracts\[0\]\.radius is missing"),
        (
            DISCRETE | {"tracts": DISCRETE["tracts"] + [{"ra": 1, "dec": 95, "radius": 1}]},
            r"tracts\[1\]: dec must be in -90\.\.90 degrees, got 95",
        ),
        (
            DISCRETE | {"tracts": [{"ra": 1, "dec": 2, "radius": 1, "radios": 1}]},
            r"tracts\[0\]\.radios is not a key .* did you mean 'radius'",
        ),
        (
            DISCRETE | {"tracts": [{"ra": 1, "dec": 2, "radius": 90.0}]},
            r"radius must be in 0\.\.90",
        ),
    ],
)
def test_wrong_definitions_name_file_and_key(tmp_path: Path, definition: Any, message: str) -> None:
    """Who wrote the file sees at once where to look."""
    path = write(tmp_path, yaml.safe_dump(definition))
    with pytest.raises(SkyMapError, match=message) as caught:
        load_sky_map(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_definition_without_name_is_refused() -> None:
    """Only a file can lend its own name."""
    with pytest.raises(SkyMapError, match="name is missing"):
        SkyMap.from_definition({k: v for k, v in RINGS.items() if k != "name"})


def test_a_class_reads_its_own_kind_only() -> None:
    """Asking the class of rings for a map of fields is a mistake."""
    assert isinstance(RingsSkyMap.from_definition(RINGS), RingsSkyMap)
    with pytest.raises(SkyMapError, match="kind must be one of rings; got 'discrete'"):
        RingsSkyMap.from_definition(DISCRETE)


def test_files_that_are_not_there_or_not_yaml_are_named(tmp_path: Path) -> None:
    """The error of the system or of the parser is kept in the message."""
    with pytest.raises(SkyMapError, match=r"missing\.yaml: cannot be read: .*No such file"):
        load_sky_map(tmp_path / "missing.yaml")
    with pytest.raises(SkyMapError, match=r"mine\.yaml: is not YAML: "):
        load_sky_map(write(tmp_path, "a: [1, 2"))
    with pytest.raises(SkyMapError, match=r"mine\.yaml: The definition must be a mapping"):
        load_sky_map(write(tmp_path, ""))


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    """A typing error is the likeliest reason."""
    assert sky_map_names() == ["hsc_rings_cells_v1", "lsst_cells_v1", "lsst_cells_v2"]
    with pytest.raises(
        SkyMapError, match=r"'hsc_rings_v1', only hsc_rings_cells_v1, lsst_cells_v1"
    ):
        named_sky_map("hsc_rings_v1")
