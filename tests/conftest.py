"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No test is judged by how long it takes. In CI Hypothesis has a profile of its own, with the same examples every time.
if "CI" not in os.environ:
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")

# pytest-xdist tells its workers how wide the terminal is, and what prints tables would heed it.
os.environ.pop("COLUMNS", None)
