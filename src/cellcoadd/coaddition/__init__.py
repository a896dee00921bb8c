"""Stage 2. Warps -> MultipleCellCoadd: choose the inputs of each cell, then sum them."""
