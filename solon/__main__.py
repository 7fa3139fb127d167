"""`python -m solon` is `solon`, for where the script is not on the path."""

from __future__ import annotations

import sys

from solon.cli import main

sys.exit(main())
