"""Layouts as Debian's tools make them, in a storage of their own."""

import os
import subprocess


def by_umoci(folder, files=4):
    """One of several layers. Gives the layout's folder."""
    layout = os.path.join(folder, "umoci")
    _run("umoci", "init", "--layout", layout)
    _run("umoci", "new", "--image", f"{layout}:made")
    for number in range(files):
        path = os.path.join(folder, f"file-{number}")
        with open(path, "wb") as file:
            file.write(os.urandom(100000 * (number + 1)))
        _run("umoci", "insert", "--image", f"{layout}:made", path, f"/data/{number}")
    _run("umoci", "gc", "--layout", layout)
    return layout


def by_buildah(folder):
    layout, context = os.path.join(folder, "buildah"), os.path.join(folder, "context")
    os.makedirs(os.path.join(context, "files"))
    for number in range(3):
        with open(os.path.join(context, "files", str(number)), "wb") as file:
            file.write(os.urandom(200000))
    with open(os.path.join(context, "Dockerfile"), "w") as file:
        file.write("FROM scratch\nCOPY files/0 /\nCOPY files /files\nLABEL a=b\nCMD [\"/0\"]\n")
    options = ["--root", os.path.join(folder, "storage"), "--runroot", os.path.join(folder, "run"),
               "--storage-driver", "vfs"]
    _run("buildah", *options, "bud", "--quiet", "--layers", "--isolation", "chroot", "--tag", "made", context)
    _run("buildah", *options, "push", "--quiet", "made", f"oci:{layout}:made")
    return layout


def _run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": "/var/tmp"})
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
