"""SHA-256 as CPython has it: of short texts about as fast as OpenSSL's, and without a warm-up.

OpenSSL looks its algorithm up and asks for memory each time. Where the processor has forgotten all
that since the last request, a digest takes it three times as long.
"""

import hashlib
import sys
from importlib import import_module
from typing import Any, Final


def _made_by() -> Any:
    try:
        return import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    except ImportError:  # a Python built without its own
        return hashlib.sha256


sha256: Final = _made_by()
