"""Git repositories for the jobs, made at run time from folders of tests/fixtures or from a few files."""

import os
import shutil
import subprocess
import tempfile
import uuid

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "fixtures")
IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester", "GIT_AUTHOR_EMAIL": "tester@example.test", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Tester", "GIT_COMMITTER_EMAIL": "tester@example.test",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}


def git(folder, *words):
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **IDENTITY}
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise AssertionError(f"git {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def fixture(name):
    """A folder of tests/fixtures as {path: bytes}, without what a build leaves there."""
    root = os.path.join(FIXTURES, name)
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [part for part in folders if part not in ("node_modules", "dist", "cache", "__pycache__")]
        for file in names:
            path = os.path.join(folder, file)
            with open(path, "rb") as content:
                files[os.path.relpath(path, root)] = content.read()
    return files


class Repository:
    """A bare repository beneath the root of a git server. Files are {path: text, bytes or (content, mode)}."""

    def __init__(self, root, files, branch="main"):
        self.name = f"r{uuid.uuid4().hex[:10]}.git"
        self.folder = os.path.join(root, self.name)
        os.makedirs(self.folder)
        git(self.folder, "init", "--quiet", "--bare", f"--initial-branch={branch}", ".")
        self.commit = self.add(files, branch)

    def add(self, files, branch="main", tag=None, submodules=None):
        """A commit of exactly these files on `branch`; returns its id. submodules: {path: commit id}."""
        tree = tempfile.mkdtemp()
        try:
            write_tree(tree, files)
            words = ["--git-dir", self.folder, "--work-tree", tree]
            git(tree, *words, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
            git(tree, *words, "add", "--all", "--force")
            for path, commit in (submodules or {}).items():
                git(tree, *words, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
            git(tree, *words, "commit", "--quiet", "--allow-empty", "--message", f"State of {branch}")
            if tag:
                git(tree, *words, "tag", tag)
            return git(tree, *words, "rev-parse", "HEAD")
        finally:
            shutil.rmtree(tree)

    def url(self, mode="open", host="http://git.test"):
        return f"{host}/{mode}/{self.name}"


class Link:
    """The content of a file that is a symbolic link."""

    def __init__(self, target):
        self.target = target


def write_tree(folder, files):
    for path, content in files.items():
        content, mode = content if isinstance(content, tuple) else (content, 0o644)
        target = os.path.join(folder, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if isinstance(content, Link):
            os.symlink(content.target, target)
            continue
        with open(target, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(target, mode)
