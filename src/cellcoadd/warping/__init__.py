"""Stage 1. CalibratedImage -> Warp: one visit resampled onto a patch."""
