"""Fixtures that every room shares."""

import os

# Tiny networks gain nothing from threads that wait busily for each other; set before NumPy loads.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket

settings.register_profile(
    "charnn", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("charnn")


def pytest_runtest_setup() -> None:
    """No test reaches the network: any socket but a Unix one is refused."""
    disable_socket(allow_unix_socket=True)


@pytest.fixture(scope="session")
def texts_dir() -> Path:
    """The folder of real texts, or a skip that says how to name it."""
    folder = os.environ.get("CHARNN_TEXTS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set CHARNN_TEXTS to a folder with mujeong.txt and the other texts")
    return Path(folder)
