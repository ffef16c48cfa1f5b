"""What a step is given, what it cannot reach, and that nothing of it stays: with the user of its own, and as root
(`--build-uid 0`) beside PID 1."""

import glob
import json
import os
import random
import re
import shutil
import subprocess
import time

import pytest

from bed.world import PROGRAM

OWN = ("user", (), 1000)
ROOT = ("root", ("--build-uid", "0"), 0)
AS_BOTH = pytest.mark.parametrize("arguments, uid", [OWN[1:], ROOT[1:]], ids=[OWN[0], ROOT[0]])

# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE, SYS_CHROOT, SETFCAP
ROOT_KEEPS = 0x800404FB
PAGE = "mkdir -p dist; echo x >dist/index.html"


def facts(text):
    """What the scripts say: `FACT name: value`."""
    return dict(re.findall(r"\| FACT ([^:\n]+): *([^\r\n]*?) *$", text, re.M))


def run_script(bed, script, arguments=(), shell="sh", **options):
    """The script as a file of the repository, run by the build."""
    spec = bed.spec(bed.repository({"script": script}),
                    build={"builder": "commands", "commands": [f"{shell} ./script", PAGE], "output": "dist"})
    return bed.run(spec, arguments=arguments, **options)


IDENTITY = r"""
for field in Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp NSsid; do
    sed -n "s/^$field:[[:space:]]*\(.*\)/FACT $field: \1/p" /proc/self/status
done
echo "FACT descriptors: $(ls /proc/self/fd | tr '\n' ' ')"
echo "FACT core: $(ulimit -c)"; echo "FACT file: $(ulimit -f)"; echo "FACT open: $(ulimit -n)"
echo "FACT processes: $(sed -n 's/^Max processes *\([^ ]*\) .*/\1/p' /proc/self/limits)"
echo "FACT oom: $(cat /proc/self/oom_score_adj)"
echo "FACT session: $(cut -d ' ' -f 6 /proc/$$/stat) $$"
for folder in "$HOME" "$TMPDIR"; do touch "$folder/mine" && echo "FACT $folder: writable"; done
env | sed 's/=.*//' | sort | tr '\n' ' ' | sed 's/^/FACT names: /'; echo
echo "FACT metadata: $(env | grep -c '169\.254\|ECS_\|AWS_')"
"""


@AS_BOTH
def test_what_a_step_is(bed, arguments, uid):
    ended = run_script(bed, IDENTITY, arguments)
    assert ended.code == 0, ended
    seen = facts(ended.text)
    assert seen["Uid"].split() == [str(uid)] * 4 and seen["Gid"].split() == [str(uid)] * 4, seen
    assert seen["Groups"] == "", seen
    kept = ROOT_KEEPS if uid == 0 else 0
    for kind, value in (("Inh", 0), ("Prm", kept), ("Eff", kept), ("Bnd", kept), ("Amb", 0)):
        assert int(seen["Cap" + kind], 16) == value, seen
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2", seen
    assert seen["descriptors"].split() == ["0", "1", "2", "3"], seen  # 3 is the folder that ls reads
    assert seen["core"] == "0" and seen["oom"] == "800", seen
    assert seen["file"] != "unlimited" and int(seen["open"]) <= 65536, seen
    assert (seen["processes"] == "4096") is (uid != 0), seen
    session, own = seen["session"].split()
    assert session != "0" and session != "1", seen
    assert sum(value == "writable" for value in seen.values()) == 2, seen
    assert seen["metadata"] == "0", seen
    assert not {"CAISSON_JOB", "HOSTNAME"} & set(seen["names"].split()), seen
    assert "system call filter" in ended.text


# name, numbers on x86_64 and aarch64, arguments in Perl. What is refused answers EPERM (1), clone3 ENOSYS (38),
# families of sockets EAFNOSUPPORT (97).
REFUSED = [
    ("ptrace", 101, 117, "0, 0, 0, 0", 1),
    ("process_vm_readv", 310, 270, "1, 0, 0, 0, 0, 0", 1),
    ("pidfd_getfd", 438, 438, "0, 0, 0", 1),
    ("unshare user", 272, 97, "0x10000000", 1),
    ("unshare mount", 272, 97, "0x20000", 1),
    ("clone with a namespace", 56, 220, "0x10000011, 0, 0, 0, 0", 1),
    ("clone3", 435, 435, "0, 0", 38),
    ("mount", 165, 40, "0, 0, 0, 0, 0", 1),
    ("fsopen", 430, 430, "0, 0", 1),
    ("open_tree", 428, 428, "-100, 0, 0", 1),
    ("bpf", 321, 280, "0, 0, 0", 1),
    ("keyctl", 250, 219, "0, -3, 0", 1),
    ("userfaultfd", 323, 282, "0", 1),
    ("perf_event_open", 298, 241, "0, 0, -1, -1, 0", 1),
    ("io_uring_setup", 425, 425, "8, 0", 1),
    ("a packet socket", 41, 198, "17, 3, 0x300", 97),
    ("a virtual machine's socket", 40 + 1, 198, "40, 1, 0", 97),
    ("a character device", 259, 33, '-100, $name, 0020600, 0x103', 1),
]


@AS_BOTH
def test_system_calls_that_nobody_needs(bed, arguments, uid):
    number = 2 if os.uname().machine == "aarch64" else 1
    script = 'my $name = "device";' + "".join(f'$! = 0; $r = syscall({row[number]}, {row[3]}); print "FACT {row[0]}: ", $r, " ", $! + 0, "\\n";\n'
                     for row in REFUSED)
    ended = run_script(bed, script, arguments, "perl")
    assert ended.code == 0, ended
    seen = facts(ended.text)
    for row in REFUSED:
        assert seen[row[0]] == f"-1 {row[4]}", (row[0], ended)


def test_root_may_do_what_images_need(bed):
    """Owners, other users, chroot, low ports: but no raw sockets, no devices, and nothing of the machine."""
    script = r"""
set -e
touch a; chown 33:33 a; chmod 4755 a; mkdir -p jail/bin jail/lib jail/lib64 jail/usr/lib
perl -e '$) = "33 33"; $( = 33; $> = 33; $< = 33; print "FACT uid: $< $>\n"'
perl -e 'chroot("jail") or die $!; chdir "/"; print "FACT chroot: ", -d "/bin" ? "in" : "out", "\n"'
perl -MSocket -e 'socket(S, PF_INET, SOCK_STREAM, 0); bind(S, sockaddr_in(81, INADDR_ANY)) or die $!;
                  print "FACT raw: ", socket(R, PF_INET, SOCK_RAW, 1) ? "open" : "refused", "\n"'
"""
    ended = run_script(bed, script, ("--build-uid", "0"))
    assert ended.code == 0, ended
    assert {"uid": "33 33", "chroot": "in", "raw": "refused"}.items() <= facts(ended.text).items(), ended


# Everything that root beside PID 1 may try on it. The numbers are those of x86_64 and aarch64.
AT_PID1 = r"""
use strict; use warnings;
my $arm = `uname -m` =~ /aarch64/;
sub try_call { my ($name, $x86, $aarch64, @rest) = @_; $! = 0;
               my $r = syscall($arm ? $aarch64 : $x86, map { /^-?\d+$/ ? $_ + 0 : $_ } @rest);
               print "FACT $name: $r ", $! + 0, "\n"; }
for my $file (qw(environ mem maps auxv fd/0 cwd root exe)) {
    my $open = $file =~ /^(cwd|root|exe)$/ ? defined readlink "/proc/1/$file" : open my $f, "<", "/proc/1/$file";
    print "FACT $file: ", $open ? "open" : "refused", "\n";
}
my $few = pack "QQ", 3, 3;
try_call("prlimit", 302, 261, 1, 7, $few, 0);
try_call("nice", 141, 140, 0, 1, 19);
try_call("nice of all", 141, 140, 2, 0, 19);
try_call("scheduler", 144, 119, 1, 5, pack("i", 0));
try_call("affinity", 203, 122, 1, 8, pack("Q", 1));
try_call("ioprio", 251, 30, 1, 1, 0x6000);
kill $_, 1 for qw(KILL STOP HUP USR1 USR2 ALRM CHLD PIPE TSTP);
# rt_sigqueueinfo(1, SIGTERM, {SIGTERM, 0, code, pid 0}): by the kernel's rule the code must be negative
my $forged = pack "iiiiii x104", 15, 0, -1, 0, 0, 0;
try_call("forged", 129, 138, 1, 15, $forged);
my $worse = pack "iiiiii x104", 15, 0, 0, 0, 0, 0;
try_call("forged as the kernel's", 129, 138, 1, 15, $worse);
select undef, undef, undef, 0.2;
kill "TERM", 1; select undef, undef, undef, 0.2; kill "INT", 1; select undef, undef, undef, 0.2;
if (open my $f, ">", "/proc/1/oom_score_adj") { print $f "1000"; close $f; print "FACT oom: written\n" }
sleep 1;
"""


def test_root_cannot_cripple_pid1(bed):
    """Limits, priority, signals: refused, or without effect; each attempted stop is in the log."""
    spec = bed.spec(bed.repository({"script": AT_PID1}),
                    build={"builder": "commands", "commands": ["perl ./script", PAGE], "output": "dist",
                           "test": "echo FACT oom later: $(cat /proc/1/oom_score_adj)"})
    ended = bed.run(spec, arguments=["--build-uid", "0"])
    assert ended.code == 0, ended
    seen = facts(ended.text)
    for file in ("environ", "mem", "maps", "auxv", "fd/0", "cwd", "root", "exe"):
        assert seen[file] == "refused", (file, ended)
    for name in ("prlimit", "nice", "nice of all", "scheduler", "affinity", "ioprio", "forged as the kernel's"):
        assert seen[name] == "-1 1", (name, ended)
    assert seen["forged"] == "0 0", ended
    assert len(re.findall(r"ignored an attempt to stop the job", ended.text)) >= 3, ended
    assert "forged signal 15" in ended.text
    assert seen["oom"] == "written" and seen["oom later"] == "0", ended
    assert bed.published(spec) == {"index.html": b"x\n"}


def test_limits_of_pid1_by_prlimit_alone(bed):
    """Its saved uid is its own: where no filter stands in the way (a program of the image that is root) too."""
    task = bed.start(bed.commands("echo ready; sleep 2", PAGE))
    task.wait_for("| ready")
    with open(f"/proc/{task.pid()}/status") as file:
        status = file.read()
    uids = re.search(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)", status, re.M).groups()
    assert uids[:2] == ("0", "0") and uids[2] not in ("0", "1000"), uids
    with open(f"/proc/{task.pid()}/environ", "rb") as file:
        assert file.read().strip(b"\0") == b""
    with open(f"/proc/{task.pid()}/limits") as file:
        assert re.search(r"Max core file size +0 +0 ", file.read())
    assert bed.finish(task).code == 0


def test_a_flood_of_signals_does_not_flood_the_log(bed):
    """Signals without end could hide a real one, which is one more of the same number."""
    flood = "perl -e 'for (1 .. 200000) { kill q(TERM), 1 }'; sleep 5"
    ended = bed.run(bed.commands(flood, PAGE), arguments=["--build-uid", "0"])
    assert ended.code == 31, ended
    assert 5 <= ended.text.count("ignored an attempt") <= 50, ended
    assert "could hide a real one" in ended.text


WHOSE = """
for path in . .git .git/config folder folder/file; do echo "FACT $path: $(stat -c '%u %g' $path)"; done
umask 077; mkdir -p dist; echo x >dist/index.html; chmod {mode} dist dist/*
"""


def users_of_workers(task):
    """{name: uids} of our children that are seen in passing."""
    users, pid = {}, task.pid()
    while not task.has_ended():
        for path in glob.glob(f"/proc/{pid}/task/*/children"):
            try:
                with open(path, encoding="ascii") as file:
                    children = file.read().split()
                for child in children:
                    with open(f"/proc/{child}/cmdline", encoding="ascii") as file:
                        words = file.read().split("\0")
                    if words[1:2] == ["--worker"]:
                        with open(f"/proc/{child}/status", encoding="ascii") as file:
                            uid = re.search(r"^Uid:\s+(\d+)", file.read(), re.M)[1]
                        users.setdefault(words[2], set()).add(uid)
            except (FileNotFoundError, ProcessLookupError):
                pass
        time.sleep(0.002)
    return users


def test_a_root_build_has_its_own_checkout_and_workers_that_are_not_root(bed):
    spec = bed.commands(WHOSE.format(mode="a+rX"), files={"folder/file": "x\n"})
    task = bed.start(spec, arguments=["--build-uid", "0"])
    users = users_of_workers(task)
    ended = bed.finish(task)
    assert users == {"checkout": {"1000"}, "publish": {"0"}}, (users, ended)
    assert ended.code == 0, ended
    assert bed.published(spec) == {"index.html": b"x\n"}
    assert re.search(r"the build is root .*checkout, detection and publishing run here: .*build uid 1000", ended.text)
    seen = facts(ended.text)
    assert {seen[path] for path in (".", ".git", ".git/config", "folder", "folder/file")} == {"0 0"}, ended


def test_what_only_root_may_read_is_not_published(bed):
    """A root build could otherwise have us publish what it got by a link; and it is told what to do."""
    spec = bed.commands(WHOSE.format(mode="go="), files={"folder/file": "x\n"})
    ended = bed.run(spec, arguments=["--build-uid", "0"])
    assert ended.code == 42 and ended.result["reason"] == "output-unreadable", ended
    assert "chmod -R a+rX" in ended.result["hint"], ended


# Each of them is a way to stay behind. The last line of a later command says who did.
STAYING = r"""
use POSIX;
sub daemon { my ($then) = @_; return if fork; POSIX::setsid(); exit if fork; open STDIN, "<", "/dev/null";
             open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null";
             $SIG{$_} = "IGNORE" for qw(TERM HUP INT QUIT USR1); $then->(); sleep 600; exit }
daemon(sub {});
daemon(sub { kill "STOP", $$ });
daemon(sub { if ($> == 0) { $( = $) = 1234; $< = $> = 1234 } });
daemon(sub { syscall(`uname -m` =~ /aarch64/ ? 167 : 157, 36, 1, 0, 0, 0); fork; fork });  # a subreaper with a family
daemon(sub { for (;;) { exit if fork; select undef, undef, undef, 0.001 } });              # never the same number twice
daemon(sub { system "sleep 600" });
select undef, undef, undef, 0.5;
"""
WHO = r"""
for p in /proc/[0-9]*; do
    p=${p#/proc/}
    [ $p = 1 ] || [ $p = $$ ] || [ $p = $PPID ] || [ ! -r /proc/$p/stat ] || echo "FACT stayed $p: $(cat /proc/$p/stat)"
done
echo looked
"""


@AS_BOTH
def test_nothing_outlives_a_step(bed, arguments, uid):
    spec = bed.spec(bed.repository({"script": STAYING, "who": WHO}),
                    build={"builder": "commands", "commands": ["perl ./script", PAGE], "output": "dist",
                           "test": "sh ./who"})
    ended = bed.run(spec, arguments=arguments)
    assert ended.code == 0 and "| looked" in ended.text, ended
    assert not [name for name in facts(ended.text) if name.startswith("stayed")], ended
    assert "left-over" in ended.text


STORM = r"""
i=0
while [ $i -lt 100 ]; do
    (j=0; while [ $j -lt 100 ]; do : & j=$((j + 1)); done)
    i=$((i + 1))
done
exit 7
"""


@AS_BOTH
def test_a_storm_of_orphans(bed, arguments, uid):
    """Ten thousand processes that PID 1 has to reap: none is left, and the codes are those of the commands."""
    spec = bed.spec(bed.repository({"script": STORM, "who": WHO}),
                    build={"builder": "commands", "output": "dist", "test": "exit 9",
                           "commands": ["sh ./script || echo FACT code: $?", "sleep 0.5; sh ./who", PAGE]})
    ended = bed.run(spec, arguments=arguments, timeout=300)
    assert ended.code == 35 and ended.result["child_exit_code"] == 9, ended
    assert facts(ended.text) == {"code": "7"} and "| looked" in ended.text, ended


def test_files_that_are_not_the_builds(bed):
    """Landlock keeps a build from secrets of the task whatever their modes, and to its own folders."""
    script = r"""
cat /run/secrets/token >/dev/null 2>&1 && echo "FACT secret: read" || echo "FACT secret: refused"
cat /etc/caisson/operator.yaml >/dev/null 2>&1 && echo "FACT operator: read" || echo "FACT operator: refused"
(echo x >/opt/open) 2>/dev/null && echo "FACT outside: written" || echo "FACT outside: refused"
for f in /tmp /var/tmp /dev/shm "$HOME" "$TMPDIR" /home/node .; do echo x >$f/mine && echo "FACT $f: written"; done
mkdir a b; echo x >a/x; mv a/x b/x; ln b/x a/y; mv a/y /tmp/y; mv /tmp/y a/z; echo "FACT moved: $(cat a/z b/x | tr '\n' ' ')"
sh -c 'echo "FACT sub: $(node -p 40+2)"'
cat /etc/passwd >/dev/null && ls / /etc /run >/dev/null && echo "FACT image: read"
kill -0 1 2>/dev/null || echo "FACT pid1: refused"
"""
    files = {"/run/secrets/token": "secret\n", "/opt/open": ("", 0o666)}
    for refused in ([], ["landlock_add_rule"]):
        ended = run_script(bed, script, files=files, refuse_calls=refused)
        assert ended.code == 0, ended
        seen = facts(ended.text)
        assert seen["secret"] == seen["operator"] == ("read" if refused else "refused"), ended
        assert seen["outside"] == ("written" if refused else "refused") and seen["moved"] == "x x" and seen["sub"] == "42", ended
        assert seen["image"] == "read" and seen["pid1"] == "refused", ended
        assert list(seen.values()).count("written") == (8 if refused else 7), ended
        assert ("missing here: confined files" in ended.text) is bool(refused), ended


def test_without_what_an_older_kernel_lacks(bed):
    """Everything that a kernel may not have answers ENOSYS: the rest protects, and the log says what is missing."""
    ended = run_script(bed, IDENTITY, refuse_calls=[
        "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "openat2", "clone3", "close_range",
        "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "seccomp", "memfd_create", "madvise", "mlock"])
    assert ended.code == 0, ended
    seen = facts(ended.text)
    assert seen["Seccomp"] == "2" and seen["descriptors"].split() == ["0", "1", "2", "3"], ended
    assert "confined files (Landlock is not in this kernel" in ended.text


def stop_at(bed, delay_s):
    """Stops a job of about a second after that time; the result must be there, and right."""
    spec = bed.commands("perl -e 'for (1 .. 50) { fork or exit }'; sleep 0.2", PAGE, "sleep 0.2")
    task = bed.start(spec, arguments=["--stop-budget", "10s"])
    pid = task.pid()
    while True:  # until it is our program that is asked: before that the kernel drops the signal
        with open(f"/proc/{pid}/cmdline") as file, open(f"/proc/{pid}/status") as status:
            if file.read().startswith(PROGRAM) and re.search(r"^SigBlk:\s+0*[1-9a-f]", status.read(), re.M):
                break
    time.sleep(delay_s)
    running = task.process.poll() is None
    task.signal("TERM")
    at = time.monotonic()
    ended = bed.finish(task, 60)
    assert time.monotonic() - at < 11, (delay_s, ended)
    assert ended.result is not None, (delay_s, ended)
    if ended.code == 0:
        assert ended.result["status"] == "succeeded" and bed.published(spec) == {"index.html": b"x\n"}, (delay_s, ended)
    else:
        assert running and ended.code == 143 and ended.result["status"] == "interrupted", (delay_s, ended)
        assert bed.published(spec) == {}, (delay_s, ended)


@pytest.mark.parametrize("number", range(4))
def test_stop_at_random_moments(bed, number):
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    for _ in range(5):
        stop_at(bed, moments.uniform(0, 1.2))


@pytest.mark.rare
def test_stop_at_many_random_moments(bed):
    for _ in range(200):
        stop_at(bed, random.uniform(0, 1.2))


@pytest.fixture
def home():
    """Someone's home, where homes are, with a key and with programs."""
    folder = f"/home/caisson-e2e-{os.getpid()}"
    try:
        os.makedirs(f"{folder}/tools/bin")
    except OSError as error:
        pytest.skip(f"no home can be made: {error}")
    for path, content, mode in (("key", "PRIVATE", 0o644), ("tools/bin/tool", "#!/bin/sh\necho tool runs\n", 0o755)):
        with open(f"{folder}/{path}", "w") as file:
            file.write(content)
        os.chmod(f"{folder}/{path}", mode)
    yield folder
    shutil.rmtree(folder)


def test_a_developers_files_stay_private(program, open_path, home):
    """No container and, as often as not, no other user: what is in homes cannot be read, the programs there can."""
    (open_path / "site").mkdir()
    for words in (["init", "-q", "-b", "main", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q",
                                                       "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *words], cwd=open_path / "site", check=True)
    script = f"tool; cat {home}/key || echo key refused; echo x >{home}/mine || echo home refused; mkdir dist; echo x >dist/x"
    spec = open_path / "job.yaml"
    spec.write_text(json.dumps({
        "version": 1, "project": "x", "source": {"repository": f"file://{open_path}/site"},
        "build": {"builder": "commands", "commands": [script], "output": "dist"},
        "artifacts": [{"to": f"file:{open_path}/out/"}]}))
    environment = {"PATH": f"{home}/tools/bin:{os.environ['PATH']}", "HOME": home}
    ran = subprocess.run([program, "run", "--workspace", str(open_path / "work"), str(spec)], env=environment,
                         capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "| tool runs" in ran.stdout, ran.stdout
    assert "not PID 1: only descendants are ended" in ran.stdout
    if "confined (Landlock" in ran.stdout:
        assert "PRIVATE" not in ran.stdout and "key refused" in ran.stdout and "home refused" in ran.stdout, ran.stdout
