"""The programs that hold this package against others' results, and against the truth.

They stand on everything else, the tests' helpers too: `agreement` runs every stage on the inputs of
the Rubin pipelines' own code and compares the outputs; `physics` compares coadds of simulated skies
with what was drawn.
"""
