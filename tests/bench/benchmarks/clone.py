"""Clone at depth 1 against git, over smart HTTP on the loopback, answers replayed from memory."""

import os
import shutil
import subprocess

from . import generate, workers
from .measure import Failed, in_turn, median
from .servers import GitReplay
from .table import Row

GIT_ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null",
                   "GIT_CONFIG_SYSTEM": "/dev/null"}


def tree_of(folder):
    """What the files of a worktree are, as git sees it."""
    words = ["git", "-c", "safe.directory=*", "-C", folder]
    subprocess.run([*words, "add", "--all"], check=True, env=GIT_ENVIRONMENT)
    return subprocess.run([*words, "write-tree"], check=True, env=GIT_ENVIRONMENT, capture_output=True).stdout


def run(bench):
    root = bench.folder("repositories")
    url = f"{{}}/open/{os.path.basename(generate.repository(root))}"
    server = GitReplay(root)
    numbers = iter(range(1_000_000))
    trees = {}

    def measured(name, clone):
        def once():
            folder = os.path.join(bench.work, f"clone{next(numbers)}")
            cost = clone(folder)
            if name not in trees:
                trees[name] = tree_of(folder)
            bench.remove_later(folder)
            return cost
        return once

    def by_caisson(folder):
        return workers.run(bench.launcher, bench.caisson, "checkout",
                           workers.checkout_request(url.format(server.url), folder))[0]

    def by_git(folder):
        return bench.launcher.run(["git", "clone", "--quiet", "--depth", "1", url.format(server.url), folder],
                                  env=GIT_ENVIRONMENT)[0]

    contestants = {"caisson": measured("caisson", by_caisson), "git": measured("git", by_git)}
    in_turn(1, **contestants)  # the server learns its answers
    costs = in_turn(bench.rounds, **contestants)
    server.stop()
    shutil.rmtree(root)
    if trees["caisson"] != trees["git"]:
        raise Failed("caisson and git do not check out the same tree")
    ours, theirs = costs["caisson"], costs["git"]
    return [
        Row(f"clone, depth 1, {generate.FILES_OF_REPOSITORY:,} files", median(ours, "wall_s"), "s", "git",
            median(theirs, "wall_s"), 1.1),
        Row("  CPU", median(ours, "cpu_s"), "s", "git", median(theirs, "cpu_s")),
        Row("  checkout child, peak memory", max(c.peak_mib for c in ours), "MiB", "git",
            max(c.peak_mib for c in theirs)),
        Row("  checkout child, peak memory", max(c.peak_mib for c in ours), "MiB", target=64),
    ]
