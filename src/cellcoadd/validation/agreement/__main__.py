"""``python -m cellcoadd.validation.agreement`` prints the table of agreement."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
