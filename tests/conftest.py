"""What tests of every part share."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def need() -> Callable[..., str]:
    """Finds a program that a test can't do without, by any of its names.

    Where there is none the test is skipped, naming it; in CI, which must run everything, it fails.
    """

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        problem = f"{names[0]} isn't installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{problem}, and CI runs every test")
        pytest.skip(problem)

    return find
