"""Coadds of simulated skies beside the truth: ``python -m cellcoadd.testing.physics``."""
