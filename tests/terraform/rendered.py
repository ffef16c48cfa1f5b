"""What terraform renders from a module: the plan of a run of its tests, made with a mocked provider, so offline."""

import json
import os
import pathlib
import shutil
import subprocess

import aws_provider
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def mirror():
    """A folder that holds the AWS provider, as terraform's filesystem_mirror wants it; None: terraform's own way."""
    return next((folder for folder in aws_provider.mirrors() if (folder / aws_provider.PROVIDER).is_dir()), None)


def copy_of_the_tree(folder):
    """terraform/ and taskdefs/, because terraform leaves its own files beside what it reads."""
    for name in ("terraform", "taskdefs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    return folder / "terraform"


def overridden(settings):
    return settings.is_file() and "dev_overrides" in settings.read_text()


def environment(folder, **more):
    """Where the provider is says whoever started us (tests/terraform/run), else a mirror, else terraform finds it."""
    given = pathlib.Path(os.environ.get("TF_CLI_CONFIG_FILE", "none"))
    found = mirror()
    settings = folder / "terraform.rc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found}"\n  }}\n}}\n'
                        if found else "")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    return {**kept, "TF_CLI_CONFIG_FILE": str(given if overridden(given) else settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
            "AWS_EC2_METADATA_DISABLED": "true", **more}


def terraform(module, env, *arguments, limit=900, check=True):
    ended = subprocess.run(["nice", "terraform", *arguments], cwd=module, env=env, timeout=limit, text=True,
                           stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if check and ended.returncode != 0:
        raise AssertionError(f"terraform {arguments[0]} ended with {ended.returncode}:\n"
                             f"{ended.stdout[-6000:]}\n{ended.stderr[-6000:]}")
    return ended


def initialised(module, env):
    """Skips where neither a mirror nor terraform's registry gives the provider."""
    if not shutil.which("terraform"):
        pytest.skip("no terraform here")
    if overridden(pathlib.Path(env["TF_CLI_CONFIG_FILE"])):
        terraform(module, env, "get", "-no-color")  # there is no provider to install
        return
    ended = terraform(module, env, "init", "-no-color", "-input=false", check=False)
    if ended.returncode == 0:
        return
    if mirror() is None:
        pytest.skip("the AWS provider is in no mirror here, and cannot be downloaded")
    raise AssertionError(ended.stdout[-3000:] + ended.stderr[-3000:])


def plans(folder, module, tests=None):
    """{name of a run: {address: values}} of terraform/modules/MODULE. tests: a text in the place of the module's own."""
    at, env = copy_of_the_tree(folder) / "modules" / module, environment(folder)
    if tests:
        (at / "tests" / f"{module}.tftest.hcl").write_text(tests)
    # of a provider that is mocked only the schema is asked, so one for all will do
    env.update({name: os.environ[name] for name in ("TF_REATTACH_PROVIDERS",) if name in os.environ})
    initialised(at, env)
    found = {}
    for line in terraform(at, env, "test", "-json", "-verbose").stdout.splitlines():
        said = json.loads(line)
        if said["type"] == "test_plan":
            found[said["@testrun"]] = {one["address"]: one["change"]["after"]
                                       for one in said["test_plan"].get("resource_changes", [])}
    return found
