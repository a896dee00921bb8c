"""The joints to a Butler repository: its configuration, sky maps, and what goes into it."""
