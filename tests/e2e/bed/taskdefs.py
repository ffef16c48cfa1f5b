"""The documents of taskdefs/ as they are registered: their holes filled, and nothing else changed.

Whatever runs here as PID 1 of a builder is started as they say, so that what users register is what is tested.
"""

import json
import os
import string

FOLDER = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", "taskdefs"))
HOLES = {
    "family": "caisson", "container_name": "builder", "architecture": "X86_64", "region": "eu-central-1",
    "log_group": "/caisson/builds", "runner_image": "registry.example/runner:1",
    "builder_image": "registry.example/builder:1", "execution_role_arn": "arn:aws:iam::123456789012:role/execution",
    "task_role_arn": "arn:aws:iam::123456789012:role/project",
}
NAMES = sorted(name.removesuffix(".json") for name in os.listdir(FOLDER) if name.endswith(".json"))
KNOWN = {"name", "image", "essential", "user", "memory", "command", "entryPoint", "environment", "dependsOn",
         "stopTimeout", "readonlyRootFilesystem", "linuxParameters", "ulimits", "mountPoints", "logConfiguration"}


def text(name):
    with open(os.path.join(FOLDER, name + ".json")) as file:
        return file.read()


def filled(name, **holes):
    """The document `name`, without its ending."""
    return json.loads(string.Template(text(name)).substitute({**HOLES, **holes}))


def definition(entry):
    """An element of containerDefinitions as fields of task.Definition. What is not run here must not be overlooked."""
    assert set(entry) <= KNOWN, set(entry) - KNOWN
    linux = entry.get("linuxParameters", {})
    assert not linux.get("initProcessEnabled") and not linux.get("capabilities", {}).get("add"), linux
    assert all(wanted["condition"] == "START" for wanted in entry.get("dependsOn", ()))
    assert not any(mount.get("readOnly") for mount in entry.get("mountPoints", ()))
    options = {}
    for limit in entry.get("ulimits", ()):
        assert limit["name"] == "nofile", limit
        options["nofile"] = (limit["softLimit"], limit["hardLimit"])
    if "user" in entry:
        options["user"] = tuple(map(int, entry["user"].split(":")))
    return {
        "command": entry.get("command"), "entry_point": entry.get("entryPoint"),
        "environment": variables(entry.get("environment", ())),
        "essential": entry.get("essential", True), "read_only": entry.get("readonlyRootFilesystem", False),
        "memory": entry["memory"] << 20 if "memory" in entry else None,
        "drop": tuple("CAP_" + name for name in linux.get("capabilities", {}).get("drop", ())),
        "stop_timeout": entry.get("stopTimeout", 30),
        "depends_on": tuple(wanted["containerName"] for wanted in entry.get("dependsOn", ())),
        "mounts": {mount["containerPath"]: mount["sourceVolume"] for mount in entry.get("mountPoints", ())},
        "options": options,
    }


def variables(pairs):
    """Of a list of names and values. PID 1 sees the last value of a name that stands there twice."""
    return {pair["name"]: pair["value"] for pair in pairs}


def shared_volume():
    """Where runner and sandbox find what they share; the same path in both."""
    paths = [set(definition(entry)["mounts"].items()) for entry in filled("kaniko")["containerDefinitions"]]
    ((path, _),) = set.intersection(*paths)
    return path
