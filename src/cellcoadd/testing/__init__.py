"""Builders, slow twins and repositories for tests, ours and those of users."""
