"""A camera: rows and columns of detectors with gaps, and its geometry in the terms of lsst.images.

Focal-plane positions are counted in pixels from the optical axis, x and y along the detectors'
columns and rows; every detector is mounted in the same orientation.
"""

from __future__ import annotations

__all__ = ["Camera", "DistortionKeywords"]

import dataclasses
import functools
import math
from typing import Literal

import astropy.units as u
import numpy as np
import starlink.Ast
from lsst.images import XY, Box
from lsst.images.cameras import (
    CameraFrameSet,
    CameraFrameSetSerializationModel,
    Detector,
    DetectorAttributes,
    DetectorType,
    Orientation,
)

type DistortionKeywords = Literal["SIP", "TPV"]
"""How a FITS header states a distortion: TAN-SIP or TPV."""

_MM_PER_PIXEL = 0.015  # Hyper Suprime-Cam's; it only enters the focal-plane frame, not the sky.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Camera:
    """A rectangular array of equal detectors, centred on the optical axis.

    Parameters
    ----------
    instrument
        Short name, as a Butler repository knows it.
    columns, rows
        Number of detectors in x and in y. Detector ids count row by row from 0, x fastest.
    width, height
        Size of a detector in pixels.
    gap_x, gap_y
        Width of the gaps between detectors in pixels.
    pixel_scale
        Arcseconds per pixel on the optical axis.
    first_x, first_y
        Index of the first column and row of each detector; not all cameras count from 0.
    distortion
        Cubic radial distortion: a source that a perfect camera images at r radians from the axis
        falls at r' with ``r = r' (1 + distortion r'^2)``. With 1000, a source 1000 pixels of 0.168"
        off the axis is shifted by 0.66 pixels.
    distortion_keywords
        How the files say it: ``SIP``, polynomials of the pixels, or ``TPV``, polynomials of the
        tangent plane. The geometry is the same.

    Raises
    ------
    ValueError
        If a size is not positive, a gap is negative, or the keywords are of neither kind.
    """

    instrument: str = "HSC"
    columns: int = 2
    rows: int = 2
    width: int = 300
    height: int = 260
    gap_x: int = 16
    gap_y: int = 24
    pixel_scale: float = 0.168
    first_x: int = 0
    first_y: int = 0
    distortion: float = 0.0
    distortion_keywords: DistortionKeywords = "SIP"

    def __post_init__(self) -> None:
        for name in ("columns", "rows", "width", "height", "pixel_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"A camera's {name} must be positive, got {getattr(self, name)}.")
        for name in ("gap_x", "gap_y"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"A camera's {name} must not be negative, got {getattr(self, name)}."
                )
        if self.distortion_keywords not in ("SIP", "TPV"):
            raise ValueError(
                f"The distortion is written as 'SIP' or 'TPV', got {self.distortion_keywords!r}."
            )
        if not self.instrument:
            raise ValueError("A camera needs the name of its instrument.")

    @property
    def detectors(self) -> range:
        """The ids of all detectors."""
        return range(self.columns * self.rows)

    @property
    def bbox(self) -> Box:
        """Pixels of a detector, the same for all."""
        return Box.from_shape((self.height, self.width), start=(self.first_y, self.first_x))

    @property
    def radians_per_pixel(self) -> float:
        """Pixel scale on the optical axis in radians."""
        return math.radians(self.pixel_scale / 3600.0)

    @property
    def radius(self) -> float:
        """Distance of the outermost corner from the optical axis in pixels."""
        full_width = self.columns * self.width + (self.columns - 1) * self.gap_x
        full_height = self.rows * self.height + (self.rows - 1) * self.gap_y
        return 0.5 * math.hypot(full_width, full_height)

    def name_of(self, detector: int) -> str:
        """Return a detector's name, row and column, such as ``1_02``."""
        column, row = self._place(detector)
        return f"{row}_{column:02d}"

    def axis_of(self, detector: int) -> XY[float]:
        """Return where the optical axis is in the pixel coordinates of a detector."""
        column, row = self._place(detector)
        x_middle = self.first_x + 0.5 * (self.width - 1)
        y_middle = self.first_y + 0.5 * (self.height - 1)
        x_offset = (column - 0.5 * (self.columns - 1)) * (self.width + self.gap_x)
        y_offset = (row - 0.5 * (self.rows - 1)) * (self.height + self.gap_y)
        return XY(x=x_middle - x_offset, y=y_middle - y_offset)

    def detector(self, detector: int, *, visit: int | None = None) -> Detector:
        """Return a detector's identity and geometry, with the frames of the whole camera."""
        axis = self.axis_of(detector)
        x_middle = self.first_x + 0.5 * (self.width - 1)
        y_middle = self.first_y + 0.5 * (self.height - 1)
        attributes = DetectorAttributes(
            name=self.name_of(detector),
            id=detector,
            type=DetectorType.SCIENCE,
            serial=f"simulated-{detector:03d}",
            bbox=self.bbox,
            orientation=Orientation(
                focal_plane_x=(x_middle - axis.x) * _MM_PER_PIXEL,
                focal_plane_y=(y_middle - axis.y) * _MM_PER_PIXEL,
                focal_plane_z=0.0,
                pixel_reference_x=x_middle,
                pixel_reference_y=y_middle,
                yaw=0.0 * u.rad,
                pitch=0.0 * u.rad,
                roll=0.0 * u.rad,
            ),
            pixel_size=_MM_PER_PIXEL,
            physical_type="simulated",
        )
        return Detector(attributes, [], self.frames, visit=visit)

    @functools.cached_property
    def frames(self) -> CameraFrameSet:
        """Transforms between the focal plane (mm), field angles (radians) and detector pixels."""
        frames = starlink.Ast.FrameSet(
            starlink.Ast.Frame(2, "Ident=FOCAL_PLANE,Unit(1)=mm,Unit(2)=mm")
        )
        frames.addframe(
            1,
            _to_field_angle(self.distortion, self.radians_per_pixel / _MM_PER_PIXEL),
            starlink.Ast.Frame(2, "Ident=FIELD_ANGLE,Unit(1)=rad,Unit(2)=rad"),
        )
        box = self.bbox
        for detector in self.detectors:
            axis = self.axis_of(detector)
            to_pixels = starlink.Ast.CmpMap(
                starlink.Ast.ZoomMap(2, 1.0 / _MM_PER_PIXEL),
                starlink.Ast.ShiftMap([axis.x, axis.y]),
                True,
            )
            bounds = (
                f"Bottom(1)={box.x.start},Top(1)={box.x.stop},"
                f"Bottom(2)={box.y.start},Top(2)={box.y.stop}"
            )
            frame = starlink.Ast.Frame(2, f"Ident=DETECTOR_{detector},{bounds}")
            frames.addframe(1, to_pixels, frame)
        text = _as_text(frames)
        # The constructor of CameraFrameSet is private; its serialized form is public.
        model = CameraFrameSetSerializationModel(instrument=self.instrument, ast=text)
        return model.deserialize(None)  # type: ignore[arg-type]  # the archive is not used

    def _place(self, detector: int) -> tuple[int, int]:
        if detector not in self.detectors:
            raise ValueError(
                f"{self.instrument} has detectors 0..{len(self.detectors) - 1}, got {detector}."
            )
        row, column = divmod(detector, self.columns)
        return column, row


def _to_field_angle(distortion: float, radians_per_mm: float) -> starlink.Ast.Mapping:
    """Return the mapping from millimetres in the focal plane to field angles in radians."""
    scale = starlink.Ast.ZoomMap(2, radians_per_mm)
    if distortion == 0.0:
        return scale
    # Rows: coefficient, output axis, power of x, power of y.
    cubic = [
        [1.0, 1, 1, 0], [distortion, 1, 3, 0], [distortion, 1, 1, 2],
        [1.0, 2, 0, 1], [distortion, 2, 0, 3], [distortion, 2, 2, 1],
    ]  # fmt: skip
    options = "IterInverse=1,NiterInverse=20,TolInverse=1e-12"
    return starlink.Ast.CmpMap(scale, starlink.Ast.PolyMap(cubic, np.zeros((0, 4)), options), True)


def _as_text(frames: starlink.Ast.FrameSet) -> str:
    """Return an AST object in AST's own encoding."""
    lines: list[str] = []

    class Sink:
        def astsink(self, line: str) -> None:
            lines.append(line)

    starlink.Ast.Channel(None, Sink(), "Comment=0").write(frames)
    return "\n".join(lines) + "\n"
