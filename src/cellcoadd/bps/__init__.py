"""Pipelines on workstations and clusters, by ``bps submit`` (package data) and Parsl.

`docs/how-to/cluster.md` says how the YAML files of this folder are used; `sites` has the classes
that they name. This needs ``pip install 'cellcoadd[bps]'``.
"""
