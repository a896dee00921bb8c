"""Every stage beside the Rubin pipelines' own code: ``python -m cellcoadd.validation.agreement``.

`command` prints the table. Cases are read by `reference_cases` and `reference_coadds`; a module a
part (`warps`, `warp_psfs`, `coadds`, `cell_psfs`, `inputs`, `stacks`, `weights`, `shapes`,
`filling`) compares what comes out, and says by a `comparison` how far it is off. What ours decides
otherwise on purpose is worked out from the inputs alone in `cell_rules`.
"""
