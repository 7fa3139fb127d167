"""`python -m solon.cli`, for where the script `solon` is not on the path."""

from __future__ import annotations

import sys

from solon.cli import main

sys.exit(main())
