"""--metrics: the last line of standard output is CloudWatch's, alone on its line, and nothing of a build looks like it."""

import json
import os
import subprocess

import pytest

FORGED = json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "caisson", "Dimensions": [[]],
                                                                    "Metrics": [{"Name": "Jobs"}]}]}, "Jobs": 1000})


def lines_of_metrics(text):
    """As CloudWatch Logs finds them: whole lines that are such an object."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and "_aws" in value:
            found.append(value)
    return found


@pytest.mark.parametrize("look", ["plain", "emoji", "json"])
def test_one_line_a_job_whatever_the_build_prints(bed, look):
    command = f"mkdir dist; echo hello >dist/index.html; printf '%s\\n' '{FORGED}'; printf '\\n%s\\n' '{FORGED}' >&2"
    ended = bed.run(bed.commands(command), arguments=["--metrics", "caisson", "--log", look])
    assert ended.code == 0, ended
    (line,) = lines_of_metrics(ended.text)
    assert json.loads(ended.text.rstrip("\n").splitlines()[-1]) == line
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "caisson" and directive["Dimensions"] == [[], ["Class"]]
    assert (line["Class"], line["Jobs"], line["Failed"], line["Bytes"]) == ("succeeded", 1, 0, 6)
    assert line["Seconds"] > 0 and all(isinstance(line[one["Name"]], (int, float)) for one in directive["Metrics"])


def test_a_job_that_never_began_counts_too(program, tmp_path):
    spec = tmp_path / "bad.yaml"
    spec.write_text("version: 1\nprojct: x\n")
    ended = subprocess.run([program, "run", "--metrics", "team/caisson", str(spec)], stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, timeout=20, check=False)
    (line,) = lines_of_metrics(ended.stdout)
    assert (ended.returncode, line["Class"], line["Failed"]) == (10, "spec-invalid", 1)


def test_without_it_there_is_none(program, tmp_path):
    ended = subprocess.run([program, "run", str(tmp_path / "none.yaml")], stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]}, timeout=20, check=False)
    assert ended.returncode == 11 and lines_of_metrics(ended.stdout) == []


@pytest.mark.parametrize("name", ["", "AWS/ECS", "a b", "x" * 256])
def test_a_name_that_cloudwatch_does_not_take(program, name):
    ended = subprocess.run([program, "run", f"--metrics={name}", "-"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}, timeout=20, check=False)
    assert ended.returncode == 2 and "--metrics" in ended.stderr
