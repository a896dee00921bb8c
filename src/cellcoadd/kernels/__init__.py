"""HOW: the numerical kernels, compiled by numba. Arrays and numbers in, arrays out."""
