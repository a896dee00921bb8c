"""Coadds of the Rubin pipelines in, ours out: `lsst_cell_coadds` files, DP2's as cells."""
