"""``python -m cellcoadd.validation.faults`` prints the table of faults."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
