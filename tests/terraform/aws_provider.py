"""The AWS provider: where it lies on this machine, or how terraform gets it; and one process of it for many tests."""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROVIDER = "registry.terraform.io/hashicorp/aws"
TIMEOUT_S = 600


def mirrors():
    """Where terraform looks for providers by itself, and folders of that form below /opt."""
    home = pathlib.Path.home()
    data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    yield home / ".terraform.d/plugins"
    yield pathlib.Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "terraform/plugins"
    yield from (pathlib.Path(d) / "terraform/plugins" for d in data.split(":"))
    yield from (p.parent for p in sorted(pathlib.Path("/opt").glob("*/registry.terraform.io")))
    yield pathlib.Path("/opt")


def unpacked():
    """The newest provider 5.x of a mirror, as a folder with its program."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    found = [
        folder for mirror in mirrors() for folder in (mirror / PROVIDER).glob(f"5.*/{platform.system().lower()}_{machine}")
        if any(folder.glob("terraform-provider-aws*"))
    ]
    return max(found, key=lambda f: [int(n) for n in re.findall(r"\d+", f.parent.name)], default=None)


def downloaded(work):
    """By `terraform init`, which also takes mirrors with packed providers. Kept in the XDG cache."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "caisson/tools/terraform"
    cache.mkdir(parents=True, exist_ok=True)
    folder = work / "init"
    folder.mkdir()
    shutil.copy(ROOT / "terraform/modules/iam/versions.tf", folder)
    environment = dict(os.environ, TF_DATA_DIR=str(folder / "data"), TF_PLUGIN_CACHE_DIR=str(cache), CHECKPOINT_DISABLE="1")
    try:
        subprocess.run(["terraform", "init", "-input=false", "-no-color"], cwd=folder, env=environment, check=True, timeout=TIMEOUT_S,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    programs = [p.resolve().parent for p in (folder / "data/providers" / PROVIDER).glob("5.*/*/terraform-provider-aws*")]
    return programs[0] if programs else None


def served(provider, work, environment):
    """(process, value of TF_REATTACH_PROVIDERS or None): one provider for all, as its developers debug it. Terraform starts
    one for each run of a test otherwise, which is most of the time that tests take. It is to be asked for its schema only:
    what configures it would do so for everybody."""
    program = next(provider.glob("terraform-provider-aws*"))
    to_the_end_of_this = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    said = work / "provider"
    with said.open("wb") as out:
        process = subprocess.Popen([*to_the_end_of_this, program, "-debug"], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT)
    for _ in range(600):
        found = re.search(r"TF_REATTACH_PROVIDERS='(.*)'", said.read_text())
        if found or process.poll() is not None:
            break
        time.sleep(0.1)
    return process, found and found[1]
