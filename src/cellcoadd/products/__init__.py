"""WHAT: the values that stages hand over. Types of lsst.images first, ours only where none exists."""
