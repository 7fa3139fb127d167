"""Found by every Python process that a test starts while the suite runs over PostgreSQL; see stand_in.py."""

import os

if "STAND_IN_SERVER" in os.environ:
    import stand_in

    stand_in.install()
