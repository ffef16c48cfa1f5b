import os

import pytest

STRICT = os.environ.get("STRICT") == "1"


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="also the tests marked rare")


def pytest_configure(config):
    config.addinivalue_line("markers", "rare: takes minutes; only with --all")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--all"):
        return
    rare = [item for item in items if item.get_closest_marker("rare")]
    config.hook.pytest_deselected(items=rare)
    items[:] = [item for item in items if item not in rare]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if STRICT and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"STRICT=1 and skipped: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """The line that tests/terraform/run adds up, after pytest's own last one."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not config.getoption("collectonly"):
        count = {kind: len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
        print(f"{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped']} skipped")
