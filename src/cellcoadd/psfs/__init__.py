"""Point-spread functions: models of detectors, one a cell, moving a stamp, how one is stored."""
