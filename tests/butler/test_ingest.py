"""Ingesting images: what goes in, what is left alone, what is refused, what is found again."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.time import Time
from lsst.daf.butler import Butler, CollectionType, Timespan
from lsst.images import Box, VisitImage
from lsst.pipe.base import Instrument
from lsst.sphgeom import LonLat, UnitVector3d

from cellcoadd.butler.candidates import find_images
from cellcoadd.butler.image_collections import chain_images
from cellcoadd.butler.ingest import ingest_images
from cellcoadd.butler.register_skymap import tracts_touched
from cellcoadd.butler.visit_records import register_visit
from cellcoadd.errors import RepositoryError, UnusableInputError
from cellcoadd.products.calibrated_image import CalibratedImage
from cellcoadd.simulate import SurveyPlan, VisitPlan, write_survey
from cellcoadd.skymap import named_sky_map, overlapping_patches
from cellcoadd.surveys import reader_for
from cellcoadd.testing.repositories import copy_repository, files_of, records_of

HSC = named_sky_map("hsc_rings_cells_v1")


@pytest.fixture
def filled(ingested: Path, root: Path) -> Iterator[Butler]:
    """A repository with all images in the run ``images``."""
    with copy_repository(ingested, root) as opened:
        yield opened


def state(butler: Butler, root: Path) -> tuple[Any, Any]:
    return records_of(butler), files_of(root)


def test_visits_are_registered_from_what_the_files_say(filled: Butler, plan: SurveyPlan) -> None:
    """Nobody types in what the files know."""
    (instrument,) = filled.query_dimension_records("instrument")
    assert (instrument.name, instrument.visit_system) == ("HSC", 0)
    (physical_filter,) = filled.query_dimension_records("physical_filter")
    assert (physical_filter.name, physical_filter.band) == ("HSC-I", "i")
    names = {r.id: r.full_name for r in filled.query_dimension_records("detector")}
    assert names == {0: "0_00", 1: "0_01"}
    visits = {r.id: r for r in filled.query_dimension_records("visit")}
    assert sorted(visits) == [1228, 1230, 19658]
    assert {r.id for r in filled.query_dimension_records("day_obs")} == {20240827, 20240829}
    visit = visits[1228]
    assert visit.day_obs == 20240827
    assert visit.exposure_time == plan.visit(1228).exposure_time_s
    assert visit.target_name == "tests"
    assert isinstance(visit.timespan, Timespan)
    begin, end = visit.timespan.begin, visit.timespan.end
    assert isinstance(begin, Time)
    assert isinstance(end, Time)
    assert (end - begin).sec == pytest.approx(200.0)
    members = filled.query_dimension_records("visit_system_membership")
    assert {(m.visit_system, m.visit) for m in members} == {(0, 1228), (0, 1230), (0, 19658)}


def test_the_instrument_can_be_asked_for_by_name(filled: Butler) -> None:
    """The class that the record names must exist, and carry the name."""
    instrument = Instrument.fromName("HSC", filled.registry)
    assert instrument.getName() == "HSC"
    data_id = filled.registry.expandDataId(instrument="HSC", visit=19658, detector=1)
    packer = Instrument.make_default_dimension_packer(data_id, is_exposure=False)
    packed = packer.pack(data_id)
    assert isinstance(packed, int)
    assert packer.unpack(packed) == data_id.subset(packer.dimensions)


def test_an_image_comes_back_as_the_file_has_it(filled: Butler, images: tuple[Path, ...]) -> None:
    """Ingesting copies the file, it does not translate it."""
    got = filled.get("calexp", instrument="HSC", visit=1228, detector=0, collections="images")
    assert isinstance(got, VisitImage)
    np.testing.assert_array_equal(got.image.array, VisitImage.read(str(images[0])).image.array)


def test_a_visit_image_is_read_as_a_calibrated_image(
    filled: Butler, images: tuple[Path, ...]
) -> None:
    """Tasks ask for CalibratedImage whatever the survey: whole, deferred, in part, and a box."""
    ref = filled.get_dataset(
        filled.query_datasets("calexp", "images", visit=1228, instrument="HSC")[0].id
    )
    assert ref is not None
    expected = reader_for(images[0]).read(images[0]).calibrated_image
    for got in (
        filled.get(ref, storageClass="CalibratedImage"),
        filled.getDeferred(ref, storageClass="CalibratedImage").get(),
    ):
        assert isinstance(got, CalibratedImage)
        assert got.observation == expected.observation
        np.testing.assert_array_equal(
            got.masked_image.image.array, expected.masked_image.image.array
        )
    handle = filled.getDeferred(ref, storageClass="CalibratedImage")
    assert handle.get(component="bbox") == expected.masked_image.bbox
    sky = handle.get(component="sky_projection").pixel_to_sky(x=3.0, y=4.0)
    assert sky.separation(expected.sky_projection.pixel_to_sky(x=3.0, y=4.0)).arcsec < 1e-6
    box = Box.factory[10:20, 5:30]
    assert handle.get(parameters={"bbox": box}).masked_image.bbox == box


def test_regions_hold_the_detectors(filled: Butler, images: tuple[Path, ...]) -> None:
    """What is not in the region is not found by a query, and its data are lost."""
    visits = {r.id: r.region for r in filled.query_dimension_records("visit")}
    rows = filled.query_dimension_records("visit_detector_region")
    regions = {(row.visit, row.detector): row.region for row in rows}
    assert len(regions) == len(images)
    for path in images:
        header = reader_for(path).read_header(path)
        visit, detector = header.observation.visit, header.observation.detector
        for x, y in ((0, 0), (95, 0), (95, 79), (0, 79)):
            sky = header.sky_projection.pixel_to_sky(x=x, y=y)
            corner = UnitVector3d(LonLat.fromDegrees(sky.ra.deg, sky.dec.deg))
            assert regions[visit, detector].contains(corner)
        assert visits[visit].contains(regions[visit, detector])


def test_queries_find_the_images_of_a_patch(filled: Butler) -> None:
    """The join of regions is the one that pipetask makes; geometry says what it must find."""
    rows = filled.query_dimension_records("visit_detector_region")
    expected = {
        (row.visit, row.detector, patch)
        for row in rows
        for _, patches in overlapping_patches(HSC, row.region)
        for patch in patches
    }
    assert {patch for _, _, patch in expected} == {61}
    where = "instrument='HSC' AND skymap='hsc_rings_cells_v1' AND tract=9813 AND band='i'"
    with filled.query() as query:
        found = query.join_dataset_search("calexp", "images").data_ids(
            ["visit", "detector", "patch"]
        )
        got = {(i["visit"], i["detector"], i["patch"]) for i in found.where(where)}
    assert got == expected
    refs = filled.registry.queryDatasets(
        "calexp", collections="images", where=f"{where} AND patch=61"
    )
    assert len(set(refs)) == 6
    assert not set(
        filled.registry.queryDatasets("calexp", collections="images", where=f"{where} AND patch=0")
    )


def test_ingesting_again_changes_nothing(
    filled: Butler, root: Path, images: tuple[Path, ...]
) -> None:
    """A night's script can be run again, and says that there was nothing to do."""
    before = state(filled, root)
    report = ingest_images(filled, images, run="images", transfer="copy")
    assert report.ingested == ()
    assert report.already_there == images
    assert report.refused == ()
    assert state(filled, root) == before


def test_a_visit_can_come_in_two_steps(
    butler: Butler, root: Path, images: tuple[Path, ...]
) -> None:
    """Detectors arrive when they are ready; the visit's region grows to hold them."""
    ingest_images(butler, images[:1], run="images", transfer="copy", check=False)
    (first,) = butler.query_dimension_records("visit", instrument="HSC", visit=1228)
    report = ingest_images(butler, images[:2], run="images", transfer="copy", check=False)
    assert (report.ingested, report.already_there) == (images[1:2], images[:1])
    (second,) = butler.query_dimension_records("visit", instrument="HSC", visit=1228)
    rows = butler.query_dimension_records("visit_detector_region", instrument="HSC", visit=1228)
    assert second.region.contains(first.region)
    assert not first.region.contains(second.region)
    assert all(second.region.contains(row.region) for row in rows)
    assert len(rows) == 2


def test_the_order_of_the_steps_does_not_matter(
    template: Path, images: tuple[Path, ...], tmp_path: Path
) -> None:
    """The hull of hulls is the hull."""
    areas = []
    for name, order in (("there", (0, 1)), ("back", (1, 0))):
        with copy_repository(template, tmp_path / name) as butler:
            for step in order:
                ingest_images(butler, [images[step]], run="images", transfer="copy", check=False)
            (visit,) = butler.query_dimension_records("visit", instrument="HSC")
            areas.append(visit.region)
    assert areas[0].contains(areas[1])
    assert areas[1].contains(areas[0])


def test_bad_files_are_refused_by_name_and_the_others_go_in(
    butler: Butler, images: tuple[Path, ...], tmp_path: Path
) -> None:
    """One broken file of a night must not stop the night."""
    text = tmp_path / "notes.fits"
    text.write_text("not an image")
    cut = tmp_path / "cut.fits"
    cut.write_bytes(images[1].read_bytes()[:40_000])
    absent = tmp_path / "absent.fits"
    twin = tmp_path / "twin.fits"
    shutil.copy(images[0], twin)
    paths = [text, cut, absent, twin, *images]
    report = ingest_images(butler, paths, run="images", transfer="copy")
    reasons = {refusal.source: refusal.reason for refusal in report.refused}
    assert "recognizes" in reasons.pop(text)
    assert "cut off or damaged" in reasons.pop(cut)
    assert "no such file" in reasons.pop(absent)
    (duplicate,) = reasons
    assert duplicate in (twin, images[0])
    assert "same visit and detector" in reasons[duplicate]
    assert len(report.ingested) == len(images)
    assert len(butler.query_datasets("calexp", "images")) == len(images)


def test_an_image_without_a_psf_is_refused(
    butler: Butler, root: Path, images: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be coadded without one; the file is named now and not in the middle of a run."""
    from lsst.images.psfs import GaussianPSFSerializationModel
    from lsst.images.serialization import ArchiveReadError

    def unreadable(self: Any, archive: Any, **options: Any) -> None:
        raise ArchiveReadError("no model of this kind")

    monkeypatch.setattr(GaussianPSFSerializationModel, "deserialize", unreadable)
    before = state(butler, root)
    report = ingest_images(butler, images[:1], run="images", transfer="copy")
    (refusal,) = report.refused
    assert "PSF" in refusal.reason
    assert "no model of this kind" in refusal.reason
    assert state(butler, root) == before


def test_without_the_check_only_headers_are_read(
    butler: Butler, images: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large survey that is known to be sound goes in quickly."""
    monkeypatch.setattr(type(reader_for(images[0])), "read", None)
    report = ingest_images(butler, images, run="images", transfer="copy", check=False)
    assert len(report.ingested) == len(images)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"physical_filter": "HSC-Z", "band": "z"}, "registered with physical_filter HSC-I"),
        ({"band": "y"}, "registered with band i"),
    ],
)
def test_an_image_that_contradicts_the_repository_is_refused(
    filled: Butler, root: Path, tmp_path: Path, plan: SurveyPlan, change: Any, reason: str
) -> None:
    """A visit has one filter and a filter one band; a mix-up would spoil a coadd in silence."""
    changed = dataclasses.replace(plan, visits=plan.visits[:1], **change)
    other = write_survey(changed, tmp_path / "other").images
    before = state(filled, root)
    report = ingest_images(filled, other, run="other", transfer="copy", check=False)
    assert len(report.refused) == len(other)
    assert all(reason in refusal.reason for refusal in report.refused)
    assert state(filled, root) == before


def test_images_of_one_visit_must_agree(
    butler: Butler, images: tuple[Path, ...], tmp_path: Path, plan: SurveyPlan
) -> None:
    """The same holds among files that come in together."""
    night = VisitPlan(visit=1228, day_obs=20240830)
    other = write_survey(dataclasses.replace(plan, visits=(night,)), tmp_path / "other").images
    report = ingest_images(
        butler, [images[0], other[1]], run="images", transfer="copy", check=False
    )
    assert len(report.ingested) == 1
    (refusal,) = report.refused
    assert "day_obs" in refusal.reason


def test_a_new_solution_makes_the_regions_grow(
    filled: Butler, tmp_path: Path, plan: SurveyPlan
) -> None:
    """A reprocessing goes into a run of its own; both sets of images must be found."""
    shifted = VisitPlan(visit=1228, sequence=1, dither_north=3.0)
    files = write_survey(dataclasses.replace(plan, visits=(shifted,)), tmp_path / "again").images
    key: dict[str, Any] = {"instrument": "HSC", "visit": 1228}
    before = filled.query_dimension_records("visit_detector_region", **key)
    report = ingest_images(filled, files, run="again", transfer="copy", check=False)
    assert report.ingested == files
    after = filled.query_dimension_records("visit_detector_region", **key)
    (visit,) = filled.query_dimension_records("visit", **key)
    for old, new in zip(before, after, strict=True):
        assert new.region.contains(old.region)
        assert not old.region.contains(new.region)
        assert visit.region.contains(new.region)


def test_an_interruption_leaves_whole_visits_only(
    butler: Butler, root: Path, images: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each visit is one transaction: its records, its datasets and its files."""
    calls: list[int] = []

    def interrupted(*arguments: Any) -> None:
        register_visit(*arguments)
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("cellcoadd.butler.ingest.register_visit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            ingest_images(butler, images, run="images", transfer="copy", check=False)
    records = records_of(butler)
    assert [row["id"] for row in records["visit"]] == ["1228"]
    assert len(records["visit_detector_region"]) == 2
    assert sum("calexp" in name for name in files_of(root)) == 2
    report = ingest_images(butler, images, run="images", transfer="copy", check=False)
    assert (report.already_there, report.ingested) == (images[:2], images[2:])


def test_all_tracts_that_images_touch_are_found(filled: Butler) -> None:
    """The field lies in the part of tract 9813 that its neighbours do not reach."""
    assert tracts_touched(filled, HSC, collection="images") == [9813]
    other = named_sky_map("lsst_cells_v1")
    assert tracts_touched(filled, other, collection="images") == [9813]


@pytest.mark.parametrize("collection", ["skymaps", "nowhere"])
def test_a_collection_without_images_touches_nothing(filled: Butler, collection: str) -> None:
    """Registering no tract at all in silence would be no help."""
    with pytest.raises(RepositoryError, match=collection):
        tracts_touched(filled, HSC, collection=collection)


def test_a_chain_holds_images_and_sky_map(filled: Butler, root: Path) -> None:
    """One name is all that pipetask needs as its input."""
    chain_images(filled, "HSC/all", "images")
    assert filled.collections.get_info("HSC/all").children == ("images", "skymaps")
    assert filled.get("skyMap", skymap=HSC.name, collections="HSC/all") == HSC
    before = state(filled, root)
    chain_images(filled, "HSC/all", "images")
    assert state(filled, root) == before
    with pytest.raises(RepositoryError, match="is a RUN"):
        chain_images(filled, "images", "images")


def test_images_go_into_a_run_only(filled: Butler, images: tuple[Path, ...]) -> None:
    """A tagged or chained collection holds no datasets of its own."""
    filled.collections.register("tagged", CollectionType.TAGGED)
    with pytest.raises(RepositoryError, match="TAGGED"):
        ingest_images(filled, images, run="tagged")


def test_a_camera_that_does_not_exist_is_refused(filled: Butler) -> None:
    """The message lists those that do."""
    with pytest.raises(UnusableInputError, match=r"hubble: there is no such camera.*rubin"):
        ingest_images(filled, [], run="images", camera="hubble")


def test_folders_are_searched_for_images(images: tuple[Path, ...], tmp_path: Path) -> None:
    """Files that are named are kept whatever they are; in folders, only images count."""
    folder = images[0].parent
    named = tmp_path / "named.txt"
    assert find_images([named, folder]) == [named, *images]
