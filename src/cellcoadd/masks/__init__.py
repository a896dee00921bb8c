"""Masks: the planes and their bits, questions to masks of any program, how one is stored."""
