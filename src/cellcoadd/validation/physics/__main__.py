"""``python -m cellcoadd.validation.physics`` prints the physics table."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
