import os
import subprocess

import pytest

from bed import world

from . import field


def pytest_generate_tests(metafunc):
    if "older_kernel" in metafunc.fixturenames:
        rare = pytest.param(True, id="older-kernel", marks=pytest.mark.rare)
        metafunc.parametrize("older_kernel", [pytest.param(False, id="this-kernel"), rare])


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    os.chmod(folder.parent, 0o755)
    return field.build_programs(str(folder))


@pytest.fixture(scope="session")
def mutant():
    """The test-only binary whose protections can be switched off; built when it is not there."""
    path = os.environ.get("CAISSON_MUTANT")
    if not path:
        path = os.path.join(world.ROOT, "build", "mutant", "caisson")
        subprocess.run([os.path.join(world.ROOT, "tests", "tools", "build-mutant")], check=True)
    return path
