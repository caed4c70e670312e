"""The folder `platform` must never shadow the standard module of that name."""

import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_standard_module_platform_is_the_one_imported():
    assert platform.system()
    assert not Path(str(platform.__file__)).is_relative_to(ROOT / "platform")


def test_the_platform_folder_is_not_a_package():
    assert not list((ROOT / "platform").glob("*.py"))
