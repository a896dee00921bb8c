"""Visits of a patch compared with one another: what only one or two of them saw is left out."""
