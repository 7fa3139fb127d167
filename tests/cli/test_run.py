"""`solon run`, `resume`, `status`: counts, exit codes, limits, going on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Cli
