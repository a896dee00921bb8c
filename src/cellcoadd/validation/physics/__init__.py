"""Coadds of simulated skies beside the truth: ``python -m cellcoadd.validation.physics``.

`command` prints the table of all measurements, and puts it into ``docs/physics.md``. A measurement
is a module with a function ``measure(*, short) -> list[Check]`` and a line in
`command.MEASUREMENTS`: `stars` (the surveys are in `star_cases`, a star is measured in
`star_shapes`), `galaxies`, `seams` (of the detectors in `detector_pairs`), `constant_sky`, `noise`,
`shear` (of the galaxies in `galaxy_pairs`, observed in `shear_survey`, measured in `pair_images`).
`sources` puts what is measured onto the sky, and has the images taken by `cellcoadd.simulate`,
which shares no numerics with what is tested.
"""
