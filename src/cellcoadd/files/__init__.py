"""How planes, tiles, entries and tables lie in a file; reading and writing whole files safely."""
