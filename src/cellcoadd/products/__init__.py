"""WHAT: the values that stages hand over; lsst.images' types first, ours only where none exists."""
