"""Files of many detectors: which extension is which, by name or number and never by place."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from cellcoadd.errors import UnusableInputError
from cellcoadd.masks.planes import bits_of, plane_array
from cellcoadd.surveys import camera_reader, images_in, is_companion, named_reader, reader_for
from cellcoadd.surveys.mosaic_files import image_addresses, split_address
from cellcoadd.testing.commands import run_command
from cellcoadd.testing.decam_exposure import DecamExposure
from cellcoadd.testing.mosaics import write_mosaic
from cellcoadd.testing.plain_files import write_camera, write_plain_image, write_planes

WEIGHTS = {"inverse_variance": {"file": {"suffix": ".weight.fits"}}}


def write_parts(folder: Path, number: int, **cards: Any) -> tuple[Path, Path]:
    """An image of one detector and its weights, whose values are the detector's number."""
    image = write_plain_image(
        folder / f"part{number}.fits",
        seed=number,
        cards={"CRVAL1": 150.0 + 0.01 * number, "CCDNUM": number, **cards},
        weight_suffix=None,
    )
    weight = np.full((60, 60), float(number), np.float32)
    return image, write_planes(folder / f"part{number}.weight.fits", weight, CCDNUM=number)


def write_visit(
    folder: Path, *, names: list[str], weight_names: list[str], **compress: Any
) -> Path:
    """A mosaic of detectors 1, 2, ... and its weights, in the order of their names in a list."""
    parts = {name: write_parts(folder / "parts", n) for n, name in enumerate(names, 1)}
    by_name = {name: weight for name, (_, weight) in parts.items()}
    image = write_mosaic(folder / "visit.fits", {name: parts[name][0] for name in names})
    weights = {name: by_name[name] for name in weight_names}
    write_mosaic(folder / "visit.weight.fits", weights, **compress)
    return image


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return write_camera(
        tmp_path / "mosaic.yaml",
        image={"detectors": "all"},
        noise=WEIGHTS,
        detector={"keyword": "CCDNUM"},
        visit={"keyword": "EXPNUM"},
    )


def variance_of(camera: Path, address: Path) -> float:
    image = camera_reader(camera).read(address).calibrated_image
    return float(np.median(image.masked_image.variance.array))


def test_weights_are_found_by_name(camera: Path, tmp_path: Path) -> None:
    """Whatever their order in their own file."""
    names = ["ccd1", "ccd2", "ccd3"]
    visit = write_visit(tmp_path, names=names, weight_names=["ccd3", "ccd1", "ccd2"])
    addresses = camera_reader(camera).images_in(visit)
    assert [address.name for address in addresses] == [
        f"visit.fits[{name.upper()}]" for name in names
    ]
    for number, address in enumerate(addresses, 1):
        assert variance_of(camera, address) == pytest.approx(1.0 / number)
        header = camera_reader(camera).read_header(address)
        assert header.observation.detector == number
        assert header.source == address


def test_weights_are_found_by_the_number_of_the_detector(camera: Path, tmp_path: Path) -> None:
    """Where extensions have no names, CCDNUM tells them apart, and finds what belongs to them."""
    visit = write_visit(tmp_path, names=[" ", "  ", "   "], weight_names=["   ", " ", "  "])
    addresses = camera_reader(camera).images_in(visit)
    assert [address.name for address in addresses] == [
        f"visit.fits[CCDNUM={number}]" for number in (1, 2, 3)
    ]
    for number, address in enumerate(addresses, 1):
        assert variance_of(camera, address) == pytest.approx(1.0 / number)


def test_what_has_neither_is_refused(camera: Path, tmp_path: Path) -> None:
    """The place in a file is not taken for a name."""
    visit = write_visit(tmp_path, names=[" ", "  "], weight_names=[" ", "  "])
    for path in (visit, tmp_path / "visit.weight.fits"):
        with fits.open(path, mode="update") as hdus:
            for hdu in hdus:
                hdu.header.remove("CCDNUM", ignore_missing=True)
    plain = write_camera(tmp_path / "plain.yaml", image={"detectors": "all"}, noise=WEIGHTS)
    addresses = image_addresses(visit)
    assert [address.name for address in addresses] == ["visit.fits[1]", "visit.fits[2]"]
    with pytest.raises(UnusableInputError, match=r"\[1\]: .* neither EXTNAME nor CCDNUM"):
        camera_reader(plain).read(addresses[0])


def test_a_detector_without_weights_is_refused_alone(camera: Path, tmp_path: Path) -> None:
    """The others of its file go on."""
    visit = write_visit(tmp_path, names=["a", "b", "c"], weight_names=["c", "a"])
    with fits.open(tmp_path / "visit.weight.fits", mode="update") as hdus:
        for hdu in hdus:
            hdu.header.remove("CCDNUM", ignore_missing=True)
    first, second, third = camera_reader(camera).images_in(visit)
    with pytest.raises(UnusableInputError, match=r"visit.fits\[B\]: .*EXTNAME 'B'.*; 0 have"):
        camera_reader(camera).read(second)
    assert variance_of(camera, first) == 1.0
    assert variance_of(camera, third) == pytest.approx(1.0 / 3.0)


def test_a_name_of_another_number_is_refused(camera: Path, tmp_path: Path) -> None:
    """Weights under the right name that say that they are of another detector."""
    visit = write_visit(tmp_path, names=["a", "b"], weight_names=["a", "b"])
    with fits.open(tmp_path / "visit.weight.fits", mode="update") as hdus:
        hdus["a"].header["CCDNUM"] = 17
    with pytest.raises(UnusableInputError, match=r"CCDNUM 1, but .*'A'.* is of CCDNUM 17"):
        camera_reader(camera).read(camera_reader(camera).images_in(visit)[0])


def test_planes_of_one_file_belong_together_by_their_version(tmp_path: Path) -> None:
    """As the Hubble archive writes them: SCI, ERR, SCI, ERR, each with the EXTVER of its chip."""
    images = [write_parts(tmp_path / "parts", number) for number in (1, 2)]
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for version in (2, 1):
        for path, name in zip(images[version - 1], ("SCI", "ERR"), strict=True):
            pixels, header = fits.getdata(path, header=True)
            hdus.append(fits.ImageHDU(pixels, header, name=name, ver=version))
    hdus.writeto(tmp_path / "chips.fits")
    camera = write_camera(
        tmp_path / "chips.yaml",
        image={"detectors": "SCI"},
        noise={"rms": {"hdu": "ERR"}},
        detector={"keyword": "CCDNUM"},
    )
    addresses = camera_reader(camera).images_in(tmp_path / "chips.fits")
    assert [split_address(address)[1] for address in addresses] == ["SCI,2", "SCI,1"]
    for address, number in zip(addresses, (2, 1), strict=True):
        assert variance_of(camera, address) == number**2
        assert camera_reader(camera).read_header(address).observation.detector == number


@pytest.mark.parametrize("ending", [".gz", ".fz"])
def test_files_are_read_as_they_are_packed(camera: Path, tmp_path: Path, ending: str) -> None:
    """Image and weights need not be packed alike."""
    visit = write_visit(tmp_path, names=["a", "b"], weight_names=["b", "a"])
    weights = tmp_path / "visit.weight.fits"
    if ending == ".gz":
        with weights.open("rb") as plain, gzip.open(f"{weights}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
    else:
        parts = {name: tmp_path / f"parts/part{n}.weight.fits" for n, name in ((2, "b"), (1, "a"))}
        write_mosaic(tmp_path / "visit.weight.fits.fz", parts, compress={"quantize_level": 0.0,
                     "compression_type": "GZIP_1"})  # fmt: skip
    weights.unlink()
    for number, address in enumerate(camera_reader(camera).images_in(visit), 1):
        assert variance_of(camera, address) == pytest.approx(1.0 / number)
    assert camera_reader(camera).is_companion(tmp_path / f"visit.weight.fits{ending}")


def test_the_end_of_a_file_that_is_cut_off_is_refused(camera: Path, tmp_path: Path) -> None:
    """Its last detector; the first is whole."""
    visit = write_visit(tmp_path, names=["a", "b"], weight_names=["a", "b"])
    data = visit.read_bytes()
    visit.write_bytes(data[:-5000])
    first, last = camera_reader(camera).images_in(visit)
    assert variance_of(camera, first) == 1.0
    with pytest.raises(UnusableInputError, match=r"visit.fits\[B\]: .*ends before"):
        camera_reader(camera).read(last)


def test_a_mosaic_without_the_word_for_it(tmp_path: Path) -> None:
    """The message says how to say that each extension is a detector, and how to take one."""
    visit = write_visit(tmp_path, names=["a", "b"], weight_names=["a", "b"])
    single = write_camera(tmp_path / "single.yaml", noise=WEIGHTS)
    with pytest.raises(UnusableInputError, match=r"there are 2 .*detectors: all"):
        camera_reader(single).read(visit)
    mosaic = write_camera(tmp_path / "m.yaml", noise=WEIGHTS, image={"detectors": "all"})
    with pytest.raises(UnusableInputError, match=r"2 detectors: name one, as in visit.fits\[A\]"):
        camera_reader(mosaic).read(visit)
    with pytest.raises(UnusableInputError, match=r"no extensions 'z'; there are .*1 A, 2 B"):
        camera_reader(mosaic).read(visit.with_name("visit.fits[z]"))
    both = write_camera(
        tmp_path / "both.yaml", noise=WEIGHTS, image={"detectors": "all", "hdu": "a"}
    )
    with pytest.raises(UnusableInputError, match=r"image.hdu is one extension"):
        camera_reader(both)


def test_companions_of_one_detector_each(tmp_path: Path) -> None:
    """Their names have the detector's: weights in files of their own beside a mosaic."""
    visit = write_visit(tmp_path, names=["a", "b"], weight_names=["a", "b"])
    for number, name in ((1, "A"), (2, "B")):
        shutil.copy(tmp_path / f"parts/part{number}.weight.fits", tmp_path / f"visit_{name}.w.fits")
    camera = write_camera(
        tmp_path / "each.yaml",
        image={"detectors": "all"},
        noise={"inverse_variance": {"file": {"suffix": "_{extension}.w.fits"}}},
    )
    for number, address in enumerate(camera_reader(camera).images_in(visit), 1):
        assert variance_of(camera, address) == pytest.approx(1.0 / number)
    assert camera_reader(camera).is_companion(tmp_path / "visit_A.w.fits")
    with pytest.raises(UnusableInputError, match="it is no mosaic"):
        camera_reader(camera).read(tmp_path / "parts" / "part1.fits")


@pytest.fixture
def pipeline_visit(tmp_path: Path) -> Path:
    """A compressed exposure of two CCDs of the DECam pipeline, and nothing of the Legacy Survey."""
    folder = tmp_path / "downloads"
    stem, parts = "c4d_170102_030405", {}
    quality = np.zeros((96, 100), np.int32)
    quality[10, 20:24] = (1, 4, 5, 8)
    for number, name in ((35, "N4"), (3, "S3")):
        own = {"CCDNUM": number, "DETPOS": name, "CRVAL1": 150.0 + number / 100.0}
        image = {**own, "MAGZERO": 29.9, "FWHM": 4.5, "AVSKY": 150.0, "SATURATE": 45000.0}
        made = DecamExposure(
            quality=quality, cards={"image": {**image, "EXPTIME": 90.0, "INSTRUME": "DECam"},
                                    "weight": own, "quality": own},
        )  # fmt: skip
        parts[name] = made.write(tmp_path / name)
    for part, order in (("ooi", ("N4", "S3")), ("oow", ("S3", "N4")), ("ood", ("S3", "N4"))):
        files = {
            name: parts[name].with_name(parts[name].name.replace("_ooi_", f"_{part}_"))
            for name in order
        }
        write_mosaic(folder / f"{stem}_{part}_r_v1.fits.fz", files, compress={"quantize_level": 4.0,
                     "compression_type": "RICE_1"} if part == "oow" else {})  # fmt: skip
    return folder / f"{stem}_ooi_r_v1.fits.fz"


def test_decam_without_the_legacy_survey(pipeline_visit: Path) -> None:
    """Sky, PSF and zero point of headers; codes of the quality map; weights through rounding."""
    reader = reader_for(pipeline_visit)
    assert reader.name == "decam-cp"
    for part in ("oow", "ood"):
        companion = pipeline_visit.with_name(pipeline_visit.name.replace("_ooi_", f"_{part}_"))
        assert is_companion(companion)
    addresses = images_in(reader, pipeline_visit)
    assert [split_address(address)[1] for address in addresses] == ["N4", "S3"]
    image = reader.read(addresses[1])
    found = image.header.observation
    assert (found.instrument, found.visit, found.detector) == ("DECam", 610001, 3)
    assert (found.band, found.physical_filter) == ("r", "r DECam SDSS c0002 6415.0 1480.0")
    calibrated = image.calibrated_image
    assert calibrated.nanojansky_per_count == pytest.approx(10 ** (0.4 * (31.4 - 29.9)))
    planes = calibrated.masked_image
    assert abs(np.median(planes.image.array)) < 0.3  # counts, of a noise of 5
    assert np.median(planes.variance.array) == pytest.approx(25.0, rel=0.01)
    bits = plane_array(planes.mask)[10, 20:25]
    for value, plane in zip(bits[:4], ("BAD", "SAT", "CR", "STREAK"), strict=True):
        assert value & bits_of(planes.mask.schema, [plane])
    assert bits[4] == 0


def test_old_masks_of_decam_are_bits(pipeline_visit: Path) -> None:
    """Before version 3.5.0 of the pipeline 4 is interpolated, not a bleed trail."""
    for file in pipeline_visit.parent.iterdir():
        with fits.open(file, mode="update", disable_image_compression=True) as hdus:
            hdus[0].header["PLVER"] = "V3.2.1"
            for hdu in hdus[1:]:
                hdu.header["PLVER"] = "V3.2.1"
    reader = reader_for(pipeline_visit)
    planes = reader.read(images_in(reader, pipeline_visit)[0]).calibrated_image.masked_image
    bits = int(plane_array(planes.mask)[10, 21])
    assert bits & bits_of(planes.mask.schema, ["INTRP"])
    assert not bits & bits_of(planes.mask.schema, ["SAT"])


@pytest.mark.parametrize(
    ("part", "card", "message"),
    [
        ("oow", ("PLPROCID", "9500002"), r"oow.*does not belong.*PLPROCID '9500002'"),
        ("ood", ("EXPNUM", 610002), r"ood.*does not belong.*EXPNUM '610002'"),
        ("ooi", ("SCAMPFLG", 1), r"SCAMPFLG is 1, it must be 0"),
        ("ooi", ("MAGZERO", 0.0), r"MAGZERO"),
    ],
)
def test_files_of_another_processing_and_failures_are_refused(
    pipeline_visit: Path, part: str, card: tuple[str, Any], message: str
) -> None:
    file = pipeline_visit.with_name(pipeline_visit.name.replace("_ooi_", f"_{part}_"))
    with fits.open(file, mode="update", disable_image_compression=True) as hdus:
        for hdu in hdus:
            hdu.header[card[0]] = card[1]
    reader = reader_for(pipeline_visit)
    with pytest.raises(UnusableInputError, match=message):
        reader.read(images_in(reader, pipeline_visit)[0])


def test_the_commands_take_mosaics(pipeline_visit: Path, tmp_path: Path) -> None:
    """A folder, a file, or one detector of it; each is named."""
    told = run_command("cellcoadd", "info", pipeline_visit)
    assert told.exit_code == 0, told.output
    assert "2: c4d_170102_030405_ooi_r_v1.fits.fz[N4]" in told.output
    for given, count in ((pipeline_visit.parent, 2), (f"{pipeline_visit}[S3]", 1)):
        done = run_command("cellcoadd", "coadd", given, "-o", tmp_path / "out", "--overwrite")
        assert done.exit_code == 0, done.output
        assert f"{count} image" in done.output


def test_cameras_are_named_by_reader_or_definition(tmp_path: Path) -> None:
    assert named_reader("decam-with-cuts").name == "decam-with-cuts"
    assert named_reader("decam-cp").recognizes(Path("renamed.fits"))
    assert named_reader(write_camera(tmp_path / "own.yaml")).name == str(tmp_path / "own.yaml")
    with pytest.raises(UnusableInputError, match=r"hubble: .*decam-cp.*sdss"):
        named_reader("hubble")
