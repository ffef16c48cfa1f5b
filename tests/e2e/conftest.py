import json
import os
import pathlib
import subprocess
import tempfile

import jsonschema
import pytest

from bed import container, images, registry, seccomp, world as bed_world

pytest_plugins = ["bed.brokers"]
STRICT = os.environ.get("STRICT") == "1"
IMPOSSIBLE = container.why_impossible()


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also the tests marked rare")
    parser.addoption("--kernel", choices=["this", "older"], default="this",
                     help="older: system calls that a kernel of some years ago lacks answer ENOSYS in every container")
    parser.addoption("--executor", choices=["local", "sandbox"], default="local",
                     help="of tasks that do not say: one container, or a runner beside a sandbox")


def pytest_configure(config):
    config.addinivalue_line("markers", "rare: slow, or of servers that take minutes to build; only with --all")


def pytest_collection_modifyitems(config, items):
    items.sort(key=lambda item: item.path.name != "test_sites.py")  # the longest first, for the workers' sake
    if config.getoption("--all"):
        return
    rare = [item for item in items if item.get_closest_marker("rare")]
    config.hook.pytest_deselected(items=rare)
    items[:] = [item for item in items if item not in rare]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    bed = item.funcargs.get("bed")
    if report.failed and bed is not None:
        report.sections += bed.evidence()
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"STRICT=1 and skipped: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter):
    if IMPOSSIBLE:
        terminalreporter.section("CONTAINER TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(f"No container can be started on this machine: {IMPOSSIBLE}.")
        terminalreporter.line("The main job as PID 1 has NOT been tested. STRICT=1 makes this a failure.")
    elif any(images.NO_KANIKO in str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())):
        terminalreporter.section("KANIKO TESTS SKIPPED", sep="!", red=True, bold=True)
        terminalreporter.line(images.why_no_kaniko())
        terminalreporter.line("Builds by Kaniko have NOT been tested. STRICT=1 makes this a failure.")
    from bed import brokers  # a plugin: pytest itself is to import it first

    missing = {str(report.longrepr).partition(brokers.MISSING)[2].partition(":")[0].strip()
               for report in terminalreporter.stats.get("skipped", ()) if brokers.MISSING in str(report.longrepr)}
    if missing:
        terminalreporter.section("BROKERS MISSING", sep="!", red=True, bold=True)
        terminalreporter.line(f"Could not be had: {', '.join(sorted(missing))}. What reports to them has NOT been tested. "
                              "STRICT=1 makes this a failure.")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The line that tests/run adds up, after pytest's own last one."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.getoption("collectonly"):
        count = {kind: len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
        print(f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")


@pytest.fixture(scope="session")
def program():
    path = bed_world.program()
    if not os.access(path, os.X_OK):
        pytest.exit(f"{path} does not exist: build it with `make release`, or name it in CAISSON", returncode=3)
    return path


@pytest.fixture(scope="session")
def caisson(program):
    """Runs the program on this machine, with an environment of nothing but PATH and what is given."""

    def run(*arguments, environment=None, **options):
        variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(environment or {})}
        options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
        if options["stdin"] is None:
            del options["stdin"]
        return subprocess.run([program, *arguments], capture_output=True, text=True, env=variables, timeout=60,
                              check=False, **options)

    return run


@pytest.fixture(scope="session")
def result_schema(caisson):
    """The published schema of the result document."""
    schema = json.loads(caisson("schema", "result").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="session")
def event_schema(caisson):
    """The published schema of events."""
    schema = json.loads(caisson("schema", "events").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="session")
def world(program, tmp_path_factory, run_authority):
    if IMPOSSIBLE:
        pytest.skip(f"no containers here: {IMPOSSIBLE}")
    made = bed_world.World(str(tmp_path_factory.mktemp("world")), run_authority)
    yield made
    made.close()


@pytest.fixture
def kernel(request):
    """`this` or `older`. A folder's conftest.py may define it again with params, to run all of it under both."""
    return request.config.getoption("kernel")


@pytest.fixture
def executor(request):
    """Of tasks that do not say: `local` or `sandbox`."""
    return request.config.getoption("executor")


@pytest.fixture
def bed(world, result_schema, tmp_path, kernel, executor):
    world.reset()
    made = bed_world.Bed(world, tmp_path, result_schema)
    made.executor, made.refuse_calls = executor, seccomp.OLDER_KERNEL if kernel == "older" else ()
    yield made
    made.close()


@pytest.fixture
def kaniko():
    """For tests that need Kaniko's executor, and so the builder image `kaniko`."""
    if images.why_no_kaniko():
        pytest.skip(f"{images.NO_KANIKO}: {images.why_no_kaniko()}")


@pytest.fixture
def hub(bed):
    """A registry at registry.test, with TLS and basic authentication: what a job pushes to."""
    with registry.Registry(bed.folder, auth="basic", tls=bed.world.authority) as made:
        yield made


@pytest.fixture
def open_path():
    """A folder that the build's user can reach, which pytest's own are not when root runs it."""
    with tempfile.TemporaryDirectory(prefix="caisson-e2e-") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)
