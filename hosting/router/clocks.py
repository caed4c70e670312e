"""The two clocks of the hot path: compiled, a constant is at hand where a global is looked up."""

import time
from typing import Final

monotonic: Final = time.monotonic  # seconds that only ever grow: for deadlines and durations
wall: Final = time.time  # unix seconds: for what is written down
