"""What people copy: the README's spec, the examples of the help, completions, and a user without rights."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from bed import repositories
from bed.world import ROOT


def blocks(path, language):
    text = pathlib.Path(ROOT, path).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_specs_of_the_documents_are_right(caisson, tmp_path):
    """Every YAML block of README and docs that is a whole spec."""
    seen = 0
    for path in ["README.md", *(f"docs/{name}" for name in os.listdir(os.path.join(ROOT, "docs")))]:
        if not path.endswith(".md"):
            continue
        for number, block in enumerate(blocks(path, "yaml")):
            document = yaml.safe_load(block)
            if not isinstance(document, dict) or "version" not in document:
                continue
            job = tmp_path / f"{number}.yaml"
            job.write_text(block)
            done = caisson("validate", str(job))
            assert done.returncode == 0, (path, block, done.stderr)
            seen += 1
    assert seen >= 1


def test_readme_names_each_command_that_it_shows(caisson):
    text = pathlib.Path(ROOT, "README.md").read_text()
    commands = set(re.findall(r"caisson (validate|plan|run|detect|schema|version|help|generate)\b", text))
    assert {"validate", "plan", "run", "detect", "schema"} <= commands
    for command in commands:
        assert caisson("help", command).returncode == 0, command
    makefile = pathlib.Path(ROOT, "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)\b", text)):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("words, wanted", [
    (["caisson", "va"], {"validate"}),
    (["caisson", "run", "--prof"], {"--profile"}),
    (["caisson", "run", "--log", "j"], {"json"}),
    (["caisson", "run", "--profile", "veren"], {"veren-frontend", "veren-backend"}),
    (["caisson", "nothing", "--x"], set()),
])
def test_bash_completion(caisson, tmp_path, words, wanted):
    script = tmp_path / "completion"
    script.write_text(caisson("generate", "bash").stdout)
    quoted = " ".join(f"'{word}'" for word in words)
    done = subprocess.run(["bash", "-c", f"set -e; source '{script}'; COMP_WORDS=({quoted}); "
                           f"COMP_CWORD={len(words) - 1}; _caisson || true; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == wanted, done


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_completions_are_well_formed(caisson, tmp_path, shell):
    text = caisson("generate", shell).stdout
    for command in ("run", "validate", "plan", "detect", "schema", "version", "help"):
        assert command in text
    if shutil.which(shell) is None:
        return  # its words are looked at above; its grammar only where it is installed
    script = tmp_path / "completion"
    script.write_text(text)
    assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0


def test_man_page_is_one(caisson):
    if shutil.which("man") is None:
        pytest.skip("no man here")
    page = os.path.join(ROOT, "docs", "caisson.1")
    shown = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=False,
                           env={"PATH": os.environ["PATH"], "MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
    assert shown.returncode == 0 and "EXIT STATUS" in shown.stdout.upper(), shown
    assert not shown.stderr.strip(), shown.stderr


def test_user_without_rights(program, open_path):
    """Not root, a strict umask, blanks in every path."""
    if os.geteuid() != 0:
        pytest.skip("the other tests of this machine are that already")
    home = open_path / "a home with blanks"
    home.mkdir()
    os.chown(home, 65534, 65534)
    copy = open_path / "caisson"
    shutil.copy(program, copy)
    os.chmod(copy, 0o755)
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"package.json": "{}", "src/index.html": "x\n"})
    subprocess.run(["chmod", "-R", "a+rX", str(open_path / "repositories")], check=True)
    subprocess.run(["chown", "-R", "65534:65534", repository.folder], check=True)
    spec = {"version": 1, "id": "j1", "source": {"repository": f"file://{repository.folder}"},
            "build": {"builder": "commands", "commands": ["id -u", "mkdir dist; cp src/index.html dist/"],
                      "output": "dist"},
            "artifacts": [{"to": f"file:{home}/out/"}], "result": f"file:{home}/result.json", "log": f"file:{home}/log"}
    (home / "job.json").write_text(json.dumps(spec))
    os.chmod(home / "job.json", 0o644)
    ran = subprocess.run([copy, "run", "--workspace", str(home / "work"), "job.json"], cwd=home, user=65534, group=65534,
                         extra_groups=[], umask=0o077, capture_output=True, text=True, check=False, timeout=60,
                         env={"PATH": os.environ["PATH"], "HOME": str(home)})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| 65534" in ran.stdout and "not PID 1" in ran.stdout, ran.stdout
    assert (home / "out/index.html").read_text() == "x\n" and (home / "log").exists()
    assert os.listdir(home / "work") == []
