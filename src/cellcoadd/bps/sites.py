"""Where Parsl runs the jobs of ``bps submit``: this computer, or nodes of a Slurm cluster.

Both classes say what those of ctrl_bps_parsl leave open: how much memory a job takes, so that no
more jobs run on a computer than fit into it. The configuration of the site (``site.<name>`` in the
YAML) comes in, an executor of Parsl goes out.
"""

from __future__ import annotations

__all__ = ["SlurmCluster", "Workstation"]

import os

from lsst.ctrl.bps.parsl import ParslJob, SiteConfig, get_bps_config_value
from lsst.ctrl.bps.parsl.sites import Slurm
from parsl.executors import HighThroughputExecutor
from parsl.executors.base import ParslExecutor
from parsl.providers import LocalProvider

_HERE = "127.0.0.1"
"""Parsl finds an address by itself, asking a server on the internet; here nobody needs another."""


class Workstation(SiteConfig):
    """The computer itself, with as many jobs at a time as its cores and its free memory allow.

    Notes
    -----
    Keys of the site: ``cores``, at most so many jobs (default: all cores); ``mem_per_worker``, GB
    that a job may take. Nothing listens to, or speaks with, another computer.
    """

    def get_executors(self) -> list[ParslExecutor]:
        """Return the one executor."""
        return [
            HighThroughputExecutor(
                "workstation",
                address=_HERE,
                provider=LocalProvider(),
                max_workers_per_node=get_bps_config_value(
                    self.site, "cores", int, os.cpu_count() or 1
                ),
                mem_per_worker=_memory_of_a_job(self),
            )
        ]

    def select_executor(self, job: ParslJob) -> str:
        """Return the name of the one executor."""
        return "workstation"

    def get_address(self) -> str:
        """Return where this process is found."""
        return _HERE


class SlurmCluster(Slurm):
    """Nodes of a Slurm cluster, each with as many jobs at a time as its memory allows.

    Notes
    -----
    Keys of the site: those of `lsst.ctrl.bps.parsl.sites.Slurm`; ``mem_per_worker``, GB that a job
    may take; ``max_blocks``, at most so many Slurm jobs at a time, each of ``nodes`` nodes
    (default: 1); ``address``, by which nodes find this computer (default: its host name).
    """

    def get_address(self) -> str:
        """Return where this process is found from the nodes."""
        return get_bps_config_value(self.site, "address", str) or str(super().get_address())

    def get_executors(self) -> list[ParslExecutor]:
        """Return the one executor."""
        blocks = get_bps_config_value(self.site, "max_blocks", int, 1)
        return [
            self.make_executor(
                "slurm",
                mem_per_worker=_memory_of_a_job(self),
                provider_options={"max_blocks": blocks},
            )
        ]


def _memory_of_a_job(site: SiteConfig) -> float:
    return float(get_bps_config_value(site.site, "mem_per_worker", float, required=True))
