import os
import subprocess

import pytest

from bed import world

from . import field


@pytest.fixture(params=["this", pytest.param("older", marks=pytest.mark.rare)])
def kernel(request):
    """All attacks under this kernel, and under one that lacks landlock, openat2, clone3 and pidfd calls."""
    return request.param if request.param == "older" else request.config.getoption("kernel")


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
