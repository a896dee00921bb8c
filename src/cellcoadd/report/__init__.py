"""Stage 4. Coadds -> figures that a person can read."""
