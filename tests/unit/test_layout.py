"""The folder `platform` must never shadow the standard module of that name."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_standard_module_platform_is_the_one_imported():
    assert platform.system()
    assert not Path(str(platform.__file__)).is_relative_to(ROOT / "platform")


def test_the_platform_folder_is_not_a_package():
    assert not list((ROOT / "platform").glob("*.py"))


@pytest.mark.parametrize(
    "module", ["hosting.router.worker", "hosting.runtimes.registry", "hosting.wire"]
)
def test_the_data_plane_loads_no_django(module):
    # Not 'django' alone: kombu takes one helper from it wherever it is installed.
    code = f"import sys, {module}; sys.exit('django.conf' in sys.modules)"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "platform")])

    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, check=True)


def test_the_web_process_loads_no_docker_sdk():
    code = "import config.asgi, config.urls, sys; sys.exit('docker' in sys.modules)"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "platform")])

    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}, check=True)
