"""Kills, full disks, races and damaged files: what becomes of a run, and of its files."""
