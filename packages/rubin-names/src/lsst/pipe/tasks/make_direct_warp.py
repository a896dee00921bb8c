"""MakeDirectWarpTask of cellcoadd where the Rubin pipelines have theirs."""

from cellcoadd_rubin_names import refuse_beside_rubin

refuse_beside_rubin(__name__)

from cellcoadd.tasks.make_direct_warp import (  # noqa: E402
    MakeDirectWarpConfig,
    MakeDirectWarpTask,
)

__all__ = ["MakeDirectWarpConfig", "MakeDirectWarpTask"]
