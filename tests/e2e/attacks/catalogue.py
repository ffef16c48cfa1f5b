"""The attacks: what runs, where, what stops it, how to see that it won."""

import json
from dataclasses import dataclass, field
from typing import Callable, Optional

from . import field as battle
from .field import Ground

LOCAL, LOCAL_ROOT = Ground("local"), Ground("local", root=True)
SANDBOX, SANDBOX_ROOT = Ground("sandbox"), Ground("sandbox", root=True)
AS_BUILD, AS_ROOT = (LOCAL, SANDBOX), (LOCAL_ROOT, SANDBOX_ROOT)
ANYWHERE = AS_BUILD + AS_ROOT
KANIKO_LOCAL, KANIKO_SANDBOX = Ground("local", kaniko=True), Ground("sandbox", kaniko=True)
IN_A_RUN = (KANIKO_LOCAL, KANIKO_SANDBOX)


@dataclass
class Guard:
    """One protection that stops an attack, and those that stop it too and are off beside it."""

    protection: str
    overlapping: tuple = ()
    ground: Optional[Ground] = None  # else the attack's first
    won: Optional[Callable] = None  # instead of the attack's own
    quick: bool = False  # also in the quick set


@dataclass
class Attack:
    """won(fought): truth when the attack had an effect. Without it the witness says."""

    name: str
    command: str  # shell, run as the build
    grounds: tuple = AS_BUILD
    guards: tuple = ()
    won: Callable = battle.Fought.loot
    conceded: tuple = ()  # grounds on which it wins, as docs/security.md says
    newer_kernel: bool = False  # on an older one nothing stops it
    rare: tuple = ()  # grounds that only --all fights on
    change: Optional[Callable] = None  # of the spec
    later: str = "true"  # the step after the build
    files: dict = field(default_factory=dict)  # laid over the image
    repository: dict = field(default_factory=dict)
    arguments: tuple = ()
    begins: bool = True  # False: it may be refused before the build
    sandbox: dict = field(default_factory=dict)  # of the sandbox's definition
    options: dict = field(default_factory=dict)  # of the container
    # in a RUN of a Dockerfile
    base: str = None  # image, else a small one
    mount: str = ""  # of that RUN
    hurries: bool = False  # it must be quicker than Kaniko, and says so
    stored: Optional[Callable] = None  # of the spec: the prefix in the bucket of what it could have had stored


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
    return any(line.startswith(("00:00:00", "::")) or set("\033\r\a") & set(line) for line in lines(fought))


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


def whole_checkout(spec):
    spec["build"]["output"] = "."
    del spec["build"]["test"]


def reserved(spec):
    spec["env"] = {"LD_PRELOAD": "/attack/evil.so", "AWS_SECRET_ACCESS_KEY": "x", "CAISSON_JOB": "x", "PATH": "/attack"}


def visited(fought):
    return fought.visitors


def no_result(fought):
    return fought.ended.result is None


def ends_badly(fought):
    """Whatever it is called: not as a job whose output is refused or published."""
    return no_result(fought) or fought.ended.result["class"] not in ("succeeded", "output-refused")


def own_secret(spec):
    spec["secrets"]["MINE"] = {"env": "OTHER_SECRET", "steps": ["build"]}


def nearly_all(fought):
    """Of fourteen calls; some kernels lack a few of them."""
    return len(fought.loot()) >= 8


def little_disk(spec):
    spec["limits"] = {"disk": "60MiB"}


def file_of_install(spec):
    """A secret that is a file during the build; the attack comes in the step after it."""
    attack = spec["build"]["commands"]
    spec["build"]["test"] = "\n".join(attack)
    spec["build"]["commands"] = ["mkdir -p dist; echo fine >dist/index.html; echo \"$MINE\" >where"]
    spec["secrets"]["MINE"] = {"env": "OTHER_SECRET", "steps": ["build"], "as": "file"}
    del spec["secrets"]["HIDDEN"]


SECRET_OF_ROOT = {"/etc/secret-of-root": ("canary-of-root\n", 0o600)}
PRIVATE = {f"/etc/private/{name}page.html": ("canary-of-root\n", 0o600) for name in ("", "source/")}
FORGED = r"""printf 'x\r00:00:00 build FORGED\n\033[1A\033[2K\r00:00:00 FORGED\n\033]0;FORGED\007\n::error::FORGED\n'"""
CALLS = ("/attack/calls ptrace process_vm_readv unshare clone packet alg keyctl io_uring userfaultfd perf kcmp "
         "pidfd_getfd other_architecture x32")
DISK_BOMB = "head -c 100000000 /dev/zero >bulk; sleep 3; rm bulk"
SOCKETS = "/var/lib/caisson/sandbox.sock /var/lib/caisson/sandbox.sock.new"
INHERITING = "exec 7</etc/passwd 8</proc/self/environ; exec caisson sandbox"
EARLY = "/attack/knock as 1000 wait 20 /var/lib/caisson/sandbox.sock & exec caisson sandbox"

# The others are fought there with --all.
QUICK_IN_SANDBOX = {
    "environ", "memory", "own-environment", "signals", "daemon", "guessed-address", "sniff", "replaced-files",
    "second-connection", "early-connection", "published-link", "secret-in-output", "secret-in-log", "forged-lines",
    "descriptors-of-our-starter",
}

ATTACKS = [
    # -- other processes
    Attack("environ", "/attack/read_processes environ cmdline", ANYWHERE, guards=(
        Guard("build-uid", ("memory-hidden", "environment-wiped", "capabilities", "own-saved-uid")),
        Guard("environment-wiped", ("memory-hidden", "capabilities", "own-saved-uid"), LOCAL_ROOT),
    )),
    Attack("memory", "/attack/read_processes mem maps fd", ANYWHERE, guards=(
        Guard("memory-hidden", ("capabilities", "own-saved-uid"), LOCAL_ROOT, quick=True),
    )),
    Attack("memory-of-workers", "(setsid /attack/read_processes for 5 environ mem fd >/dev/null 2>&1 &)", ANYWHERE),
    Attack("grab", "/attack/grab", ANYWHERE, guards=(
        Guard("memory-hidden", ("seccomp", "capabilities", "own-saved-uid"), LOCAL_ROOT),
        Guard("seccomp", ("memory-hidden", "capabilities", "own-saved-uid"), LOCAL_ROOT),
    )),
    Attack("inherited-descriptors", "/attack/descriptors", ANYWHERE),
    Attack("descriptors-of-our-starter", "/attack/descriptors", (SANDBOX,), guards=(Guard("descriptors"),),
           sandbox={"entry_point": ["/bin/sh", "-c"], "command": [INHERITING]}),
    Attack("own-environment", "env >>$WITNESS", ANYWHERE, guards=(
        Guard("clean-environ"), Guard("secret-steps", quick=True))),
    Attack("calls", CALLS, ANYWHERE, guards=(Guard("seccomp"),)),
    Attack("calls-unfiltered-by-others", CALLS, (LOCAL, LOCAL_ROOT), options={"filtered": False}, guards=(
        Guard("seccomp", won=nearly_all, quick=True),)),
    Attack("core-dumps", "/attack/cripple core", ANYWHERE, guards=(
        Guard("resource-limits", ("memory-hidden",)), Guard("memory-hidden", ("resource-limits",)))),
    Attack("setuid-program", "/usr/local/bin/suid", guards=(Guard("no-new-privs"),),
           files={"/usr/local/bin/suid": battle.program("suid", 0o4755)}),
    # -- PID 1
    Attack("signals", "/attack/signals; sleep 0.3", ANYWHERE, won=did_not_succeed, guards=(
        Guard("stop-genuine", ground=LOCAL_ROOT),
    )),
    Attack("limits-of-pid-1", "/attack/cripple limits", ANYWHERE, guards=(
        Guard("own-saved-uid", ("seccomp", "capabilities"), LOCAL_ROOT),)),
    Attack("scheduler-of-pid-1", "/attack/cripple scheduler", ANYWHERE, guards=(
        Guard("seccomp", ("own-saved-uid", "capabilities"), LOCAL_ROOT),)),
    Attack("victim-of-pid-1", "echo 1000 >/proc/1/oom_score_adj", ANYWHERE, guards=(
        Guard("oom-score", ground=LOCAL_ROOT),),
           later="[ $(cat /proc/1/oom_score_adj) != 1000 ] || echo WON >>/var/tmp/witness/it"),
    # -- the credentials
    Attack("guessed-address", "/attack/guess", ANYWHERE),
    Attack("searched-files", "sh /attack/find_secrets.sh", ANYWHERE, base="debian:bookworm-slim"),
    Attack("sniff", "(setsid /attack/sniff >/dev/null 2>&1 &); sleep 0.3", ANYWHERE, guards=(
        Guard("capabilities", ("seccomp", "sweep"), LOCAL_ROOT),
        Guard("seccomp", ("capabilities", "sweep"), LOCAL_ROOT),
        Guard("sweep", ("seccomp", "capabilities"), LOCAL_ROOT),
    )),
    Attack("secret-files-of-the-task", "cat /run/secrets/token >>$WITNESS", (LOCAL,), newer_kernel=True,
           files={"/run/secrets/token": ("WON a file of the task's secrets\n", 0o644)}, guards=(Guard("landlock"),)),
    Attack("secret-file-left-over", "sh /attack/find_secrets.sh; cat $(cat where) >>$WITNESS", change=file_of_install,
           guards=(Guard("secret-files"),)),
    # -- what stays behind, and what we use afterwards
    Attack("daemon", "sh /attack/daemon.sh", ANYWHERE, won=published("EVIL"), later="touch later; sleep 0.3",
           guards=(Guard("sweep", quick=True),)),
    Attack("replaced-binary", "sh /attack/replace_binary.sh", ANYWHERE, guards=(
        Guard("self-by-descriptor", ground=LOCAL_ROOT),)),
    Attack("replaced-files", "sh /attack/replace_files.sh", ANYWHERE, won=visited, rare=(SANDBOX,), guards=(
        Guard("files-restored", ground=LOCAL_ROOT, quick=True),)),
    Attack("planted-for-a-later-step", "echo 'env >>/var/tmp/witness/it' >check.sh", ANYWHERE, conceded=ANYWHERE,
           rare=(LOCAL_ROOT, SANDBOX, SANDBOX_ROOT),
           later="sh ./check.sh", repository={"check.sh": "true\n"}),
    # -- the sandbox's socket
    Attack("second-connection", f"/attack/knock {SOCKETS}", (SANDBOX, SANDBOX_ROOT), guards=(
        Guard("sandbox-once", ground=SANDBOX_ROOT), Guard("sandbox-peer", ("sandbox-once",)))),
    Attack("early-connection", "true", (SANDBOX,), sandbox={"entry_point": ["/bin/sh", "-c"], "command": [EARLY]},
           begins=False, arguments=("--sandbox-timeout", "4s"), guards=(Guard("sandbox-peer"),)),
    Attack("lying-sandbox", "true", (SANDBOX,), won=class_is_not("sandbox-lost"), begins=False,
           sandbox={"entry_point": ["/attack/sandbox_peer"], "command": ["liar"], "stop_timeout": 0.2},
           arguments=("--sandbox-timeout", "4s"), guards=(Guard("sandbox-stopped"),), rare=(SANDBOX,)),
    # -- the output
    Attack("published-link", "ln -s /etc/secret-of-root dist/page.html", ANYWHERE, won=published("canary-of-root"),
           files=SECRET_OF_ROOT, guards=(
               Guard("confined-open", ("open-as-build", "file-checks"), quick=True),
               Guard("open-as-build", ("confined-open", "file-checks")),
               Guard("file-checks", ("confined-open", "open-as-build")))),
    Attack("swapped-checkout", "S=$PWD; cd /; mv $S $S.old && ln -s /etc/private $S", (SANDBOX_ROOT,),
           won=published("canary-of-root"), change=whole_checkout, files=PRIVATE, guards=(
               Guard("same-checkout", ("open-as-build",)),)),
    Attack("swapped-workspace", "W=$(dirname $PWD); cd /; mv $W $W.old && ln -s /etc/private $W", (SANDBOX_ROOT,),
           won=published("canary-of-root"), change=whole_checkout, files=PRIVATE),
    Attack("every-link", "sh /attack/links.sh", ANYWHERE, won=published("canary-of-root"), files=SECRET_OF_ROOT),
    Attack("hard-link", "sh /attack/odd_files.sh hard", (LOCAL, SANDBOX, SANDBOX_ROOT), won=published("canary-of-root"),
           files=SECRET_OF_ROOT),
    Attack("folder-that-changes", "mkdir a b; echo fine >a/f; ln -s /etc/secret-of-root b/f; mkdir dist/d; "
           "cp a/f dist/d/f; (setsid /attack/files swap dist/d b >/dev/null 2>&1 &); sleep 0.2", ANYWHERE,
           won=published("canary-of-root"), files=SECRET_OF_ROOT),
    *[Attack(name, f"sh /attack/odd_files.sh {name.rpartition('-')[2]}", ANYWHERE, won=ends_badly,
             rare=ANYWHERE if name.endswith("deep") else ())
      for name in ("output-with-fifo", "output-with-socket", "output-with-device", "output-with-sparse",
                   "output-with-foreign", "output-with-deep")],
    Attack("names-in-the-output", "sh /attack/odd_files.sh names", won=lambda fought: forged(fought) or
           ends_badly(fought)),
    Attack("many-files", "sh /attack/odd_files.sh many", won=no_result, rare=ANYWHERE),
    Attack("secret-in-output", "printenv MINE >dist/app.js", change=own_secret,
           won=published(battle.HIDDEN), guards=(Guard("output-scan", quick=True),)),
    # -- the log
    Attack("secret-in-log", "sh /attack/print_bytewise.sh \"$MINE\"", change=own_secret,
           won=logged(battle.HIDDEN), guards=(Guard("redaction", quick=True),)),
    Attack("forged-lines", FORGED, won=forged, guards=(Guard("log-escapes"),)),
    Attack("forged-records", r"""printf 'x\r{"type":"result","text":"FORGED"}\n{"type":"result","text":"FORGED"}\n'""",
           won=forged_json, arguments=("--log", "json")),
    Attack("reserved-names", "env >>$WITNESS", (LOCAL,), change=reserved, begins=False,
           won=lambda fought: fought.ended.code != 10, guards=(Guard("reserved-names"),)),
    # -- bombs
    Attack("many-small-processes", "/attack/many 300 1", (LOCAL, SANDBOX), won=no_result,
           options={"memory": 200 << 20}, guards=(Guard("oom-score", ("memory-watch",)),)),
    Attack("slow-memory-bomb", "/attack/bomb memory 3000 || exit 9", won=reason_is_not("memory-limit"),
           options={"memory": 200 << 20}, guards=(Guard("memory-watch"),)),
    Attack("disk-bomb", DISK_BOMB, change=little_disk,
           won=class_is_not("disk-full"), guards=(Guard("disk-watch"),)),
    Attack("memory-bomb", "/attack/bomb memory 200 || exit 9", ANYWHERE, won=class_is_not("out-of-memory"),
           options={"memory": 200 << 20}),
    Attack("descriptor-bomb", "/attack/bomb descriptors", ANYWHERE, won=did_not_succeed, rare=ANYWHERE),
    Attack("output-without-a-newline", "/attack/bomb output 16", won=did_not_succeed),
]
