"""Where the checkout is, and what several tests use. The tests need the installed package and the programs of the
checkout."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("ADEAD_ROOT", Path(__file__).resolve().parents[3]))
PROGRAMS = ROOT / "hex" / "programs"


@pytest.fixture
def digits() -> Path:
    return PROGRAMS / "digits.hex"
