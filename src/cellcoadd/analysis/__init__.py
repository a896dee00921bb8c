"""Stage 3. Coadd -> numbers: what is measured of its cells."""
