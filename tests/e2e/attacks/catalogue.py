"""The attacks: what runs, what stops it, how to see that it won."""

import json
from dataclasses import dataclass, field
from typing import Callable, Optional

from . import field as battle


@dataclass
class Guard:
    """One protection that stops an attack, and those that stop it too and are off beside it."""

    protection: str
    overlapping: tuple = ()
    root: Optional[bool] = None  # fought with a root build instead of the attack's own kind
    won: Optional[Callable] = None  # instead of the attack's own


@dataclass
class Attack:
    """won(fought): truth when the attack had an effect. Without it the witness says."""

    name: str
    command: str  # shell, run as the build
    guards: tuple = ()
    won: Callable = battle.Fought.loot
    root: bool = False  # a build as root (--build-uid 0)
    change: Optional[Callable] = None  # of the spec
    during: Optional[Callable] = None  # (bed, task), while it runs
    files: dict = field(default_factory=dict)  # laid over the image
    repository: dict = field(default_factory=dict)
    arguments: tuple = ()
    begins: bool = True  # False: it may be refused before the build
    options: dict = field(default_factory=dict)  # of the container


def did_not_succeed(fought):
    return fought.ended.code != 0


def published(text):
    return lambda fought: any(text.encode() in content for content in fought.published.values())


def logged(text):
    return lambda fought: text in fought.ended.text


def lines(fought):
    return fought.ended.text.split("\n")


def forged(fought):
    """Our lines begin with a time; what the build prints stands behind a mark."""
    return any(line.startswith("00:00:00") or "\033" in line or "\r" in line or "\a" in line for line in lines(fought))


def forged_json(fought):
    """Every line is an object of ours, and what the build printed is the text of one."""
    for line in filter(None, lines(fought)):
        try:
            record = json.loads(line)
        except ValueError:
            return line
        if record["type"] not in ("output", "command") and "FORGED" in line:
            return line
    return None


def class_is_not(name):
    return lambda fought: fought.ended.result is None or fought.ended.result["class"] != name


def reason_is_not(reason):
    return lambda fought: fought.ended.result is None or fought.ended.result["reason"] != reason


def reserved(spec):
    spec["env"] = {"LD_PRELOAD": "/attack/evil.so", "AWS_SECRET_ACCESS_KEY": "x", "CAISSON_JOB": "x", "PATH": "/attack"}


def own_secret(spec):
    spec["secrets"]["MINE"] = {"env": "OTHER_SECRET", "steps": ["build"]}


# Protections whose mutants other tests miss: name → test.
PROVED_ELSEWHERE = {
}

ATTACKS = [
    Attack("environ", "/attack/read_processes environ cmdline", guards=(
        Guard("build-uid", ("memory-hidden", "environment-wiped", "capabilities", "own-saved-uid")),
        Guard("environment-wiped", ("memory-hidden", "capabilities", "own-saved-uid"), root=True),
    )),
    Attack("memory", "/attack/read_processes mem", root=True, guards=(
        Guard("memory-hidden", ("capabilities", "own-saved-uid")),
    )),
    Attack("descriptors-of-others", "/attack/read_processes fd", root=True),
    Attack("inherited-descriptors", "/attack/descriptors", guards=(Guard("descriptors"),)),
    Attack("own-environment", "env >>$WITNESS", guards=(Guard("clean-environ"),)),
    Attack("calls", "/attack/calls ptrace process_vm_readv unshare clone packet alg keyctl io_uring userfaultfd perf "
           "kcmp pidfd_getfd other_architecture x32", guards=(Guard("seccomp"),)),
    Attack("calls-of-root", "/attack/calls ptrace process_vm_readv unshare clone packet alg keyctl io_uring userfaultfd "
           "perf kcmp pidfd_getfd other_architecture x32", root=True),
    Attack("signals", "/attack/signals", won=did_not_succeed),
    Attack("signals-of-root", "/attack/signals; sleep 1", won=did_not_succeed, root=True, guards=(
        Guard("stop-genuine", ("capabilities",)),
    )),
    Attack("limits-of-pid-1", "/attack/cripple limits", root=True, guards=(Guard("own-saved-uid", ("capabilities",)),)),
    Attack("scheduler-of-pid-1", "/attack/cripple scheduler", root=True),
    Attack("core-dumps", "/attack/cripple core", guards=(Guard("resource-limits"),)),
    Attack("setuid-program", "/usr/local/bin/suid", guards=(Guard("no-new-privs"),),
           files={"/usr/local/bin/suid": battle.program("suid", 0o4755)}),
    Attack("sniff", "setsid /attack/sniff & sleep 0.3", root=True, guards=(
        Guard("capabilities", ("seccomp", "sweep")), Guard("sweep", ("seccomp", "capabilities")))),
    Attack("daemon", "sh /attack/daemon.sh", won=published("EVIL"), guards=(Guard("sweep"),)),
    Attack("replaced-binary", "sh /attack/replace_binary.sh", root=True, guards=(Guard("self-by-descriptor"),)),
    Attack("published-link", "sh /attack/links.sh", won=published("canary-of-root"), guards=(
        Guard("confined-open", ("open-as-build", "file-checks")),
        Guard("open-as-build", ("confined-open", "file-checks")),
    ), files={"/etc/secret-of-root": ("canary-of-root\n", 0o600)}),
    Attack("secret-in-output", "printenv MINE >dist/app.js", change=own_secret,
           won=published(battle.HIDDEN), guards=(Guard("output-scan"),)),
    Attack("secret-in-log", "sh /attack/print_bytewise.sh \"$MINE\"", change=own_secret,
           won=logged(battle.HIDDEN), guards=(Guard("redaction"),)),
    Attack("reserved-names", "env >>$WITNESS", change=reserved, begins=False,
           won=lambda fought: fought.ended.code != 10, guards=(Guard("reserved-names"),)),
    Attack("forged-lines", r"printf 'x\r00:00:00 build FORGED\n\033[1A\033[2K\r00:00:00 FORGED\n\033]0;FORGED\007\n'",
           won=forged, guards=(Guard("log-escapes"),)),
    Attack("forged-records", r"""printf 'x\r{"type":"result","text":"FORGED"}\n{"type":"result","text":"FORGED"}\n'""",
           won=forged_json, arguments=("--log", "json")),
    Attack("many-small-processes", "/attack/many 120 4", won=lambda fought: fought.ended.result is None,
           options={"memory": 200 << 20}, guards=(Guard("oom-score", ("memory-watch",)),)),
]
