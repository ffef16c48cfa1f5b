"""Repositories that attack whoever checks them out: hostile_repositories.py ROOT

Writes bare repositories of one commit each into ROOT, their trees byte by byte (`git hash-object --literally`), since
git itself refuses to make them. Prints "NAME REASON" for each: the reason that a checkout must give.
"""

import os
import subprocess
import sys

IDENTITY = {
    "GIT_AUTHOR_NAME": "Tester", "GIT_AUTHOR_EMAIL": "tester@example.test", "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Tester", "GIT_COMMITTER_EMAIL": "tester@example.test",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
}
FILE, PROGRAM, LINK, FOLDER, MODULE = "100644", "100755", "120000", "40000", "160000"


class Repository:
    def __init__(self, root, name):
        self.folder = os.path.join(root, name + ".git")
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", self.folder], check=True)

    def git(self, *words, data=None):
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **IDENTITY}
        done = subprocess.run(["git", "-C", self.folder, *words], input=data, stdout=subprocess.PIPE, check=True,
                              env=environment)
        return done.stdout.decode().strip()

    def blob(self, content):
        return self.git("hash-object", "-w", "--stdin", data=content)

    def tree(self, entries):
        """entries: (mode, name in bytes, id), written in the order given."""
        raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(object_id)
                       for mode, name, object_id in entries)
        return self.git("hash-object", "-w", "--stdin", "--literally", "-t", "tree", data=raw)

    def commit(self, tree):
        commit = self.git("commit-tree", tree, "-m", "attack")
        self.git("update-ref", "refs/heads/main", commit)


def single(name, mode=FILE, content=b"x"):
    """One entry at the root."""
    return lambda repo: repo.tree([(mode, name, repo.blob(content))])


def beneath(name):
    """A folder of that name with a hook in it."""
    return lambda repo: repo.tree([(FOLDER, name, repo.tree([(PROGRAM, b"post-checkout", repo.blob(b"#!/bin/sh\n"))]))])


def link_and_folder(link, folder):
    def make(repo):
        target = repo.blob(b"/tmp")
        inner = repo.tree([(FILE, b"evil", repo.blob(b"x"))])
        return repo.tree(sorted([(LINK, link, target), (FOLDER, folder, inner)], key=lambda entry: entry[1]))
    return make


def nested(depth):
    def make(repo):
        tree = repo.tree([(FILE, b"f", repo.blob(b"x"))])
        for _ in range(depth):
            tree = repo.tree([(FOLDER, b"d", tree)])
        return tree
    return make


def bomb(repo):
    """2 to the power of 40 files from 41 trees."""
    tree = repo.tree([(FILE, b"f", repo.blob(b"x"))])
    for _ in range(40):
        tree = repo.tree([(FOLDER, b"a", tree), (FOLDER, b"b", tree)])
    return tree


def long_path(repo):
    tree = repo.tree([(FILE, b"f", repo.blob(b"x"))])
    for _ in range(20):
        tree = repo.tree([(FOLDER, b"d" * 200, tree)])
    return tree


def duplicate(repo):
    return repo.tree([(FILE, b"a", repo.blob(b"1")), (FILE, b"a", repo.blob(b"2"))])


ATTACKS = [
    ("dots", "unsafe-path", beneath(b"..")),
    ("dot", "unsafe-path", beneath(b".")),
    ("dots-deep", "unsafe-path", lambda repo: repo.tree([(FOLDER, b"a", beneath(b"..")(repo))])),
    ("slash", "unsafe-path", single(b"a/../../evil")),
    ("absolute", "unsafe-path", single(b"/tmp/evil")),
    ("backslash", "unsafe-path", single(b"a\\..\\evil")),
    ("git", "unsafe-path", beneath(b".git")),
    ("git-case", "unsafe-path", beneath(b".GiT")),
    ("git-deep", "unsafe-path", lambda repo: repo.tree([(FOLDER, b"a", beneath(b".git")(repo))])),
    ("git-file", "unsafe-path", single(b".git", content=b"gitdir: /tmp/evil")),
    ("git-link", "unsafe-path", single(b".git", LINK, b"/tmp")),
    ("git-ntfs-short", "unsafe-path", beneath(b"GIT~1")),
    ("git-ntfs-dot", "unsafe-path", beneath(b".git. .")),
    ("git-ntfs-stream", "unsafe-path", beneath(b".git::$INDEX_ALLOCATION")),
    ("git-ntfs-backslash", "unsafe-path", beneath(b"a\\.git")),
    ("git-hfs-joiner", "unsafe-path", beneath(".g\u200cit".encode())),
    ("git-hfs-bom", "unsafe-path", beneath(".git\ufeff".encode())),
    ("control", "unsafe-path", single(b"a\x1b[2Jb")),
    ("newline", "unsafe-path", single(b"a\nb")),
    ("long-name", "unsafe-path", single(b"n" * 300)),
    ("long-path", "unsafe-path", long_path),
    ("deep", "unsafe-path", nested(200)),
    ("bomb", "too-many-files", bomb),
    ("duplicate", "duplicate-path", duplicate),
    ("link-and-folder", "duplicate-path", link_and_folder(b"a", b"a")),
    ("link-case-folder", "link-collision", link_and_folder(b"A", b"a")),
    ("link-hfs-folder", "link-collision", link_and_folder(b"a", "a\u200d".encode())),
    ("gitmodules-link", "link-as-gitmodules", single(b".gitmodules", LINK, b"/etc/passwd")),
    ("gitmodules-link-case", "link-as-gitmodules", single(b".GitModules", LINK, b"/etc/passwd")),
    ("mode-setuid", "bad-file-mode", single(b"a", "104755")),
    ("mode-device", "bad-file-mode", single(b"a", "20666")),
    ("mode-none", "bad-file-mode", single(b"a", "0")),
    ("missing-tree", "broken-object|fetch-failed", lambda repo: repo.tree([(FOLDER, b"a", "12" * 20)])),
    ("link-out", "-", lambda repo: repo.tree([(LINK, b"a", repo.blob(b"/etc")), (FILE, b"b", repo.blob(b"x"))])),
    ("case-files", "-", lambda repo: repo.tree([(FILE, b"README", repo.blob(b"1")), (FILE, b"readme", repo.blob(b"2"))])),
    ("submodule", "-", lambda repo: repo.tree([(MODULE, b"vendor", "34" * 20)])),
]


def main():
    for name, reason, make in ATTACKS:
        repo = Repository(sys.argv[1], "attack-" + name)
        repo.commit(make(repo))
        print(name, reason)


main()
