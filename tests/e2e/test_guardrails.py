"""What a build may use: memory, disk, processes, descriptors, output, silence. Whoever passes a limit is ended, and the
result says which limit it was."""

import fcntl
import json
import os
import time

import pytest

from bed import repositories

MIB = 1 << 20


def start(bed, *commands, files=None, limits=None, timeouts=None, memory=256 * MIB, size="300m", **options):
    spec = bed.commands(*commands, files=files, **({"limits": limits} if limits else {}),
                        **({"timeouts": timeouts} if timeouts else {}), log="s3://jobs-bucket/log.txt")
    task = bed.start(spec, memory=memory, size=size, **options)
    if memory and task.group.folder is None:
        pytest.skip("no group of processes can be limited in memory here")
    return task


def run(bed, *commands, **options):
    return bed.finish(start(bed, *commands, **options))


def log_of(bed):
    return bed.storage.request("GET", "/jobs-bucket/log.txt").body.decode()


GROW = """
const parts = [];
function grow() { for (let i = 0; i < %d; i++) parts.push(Buffer.alloc(1 << 20, 1)); setTimeout(grow, 20); }
grow();
"""


# -- memory

def test_memory_bomb_is_ended_before_the_kernel_acts(bed):
    done = run(bed, "node grow.js", files={"grow.js": GROW % 2})
    assert done.code == 33 and done.result["reason"] == "memory-limit", done
    usage = done.result["usage"]
    assert usage["memory_limit_bytes"] == 256 * MIB, done
    assert 200 * MIB < usage["peak_memory_bytes"] <= 256 * MIB, done
    assert usage["biggest_process"]["name"] == "node", done
    assert usage["biggest_process"]["memory_bytes"] > 100 * MIB, done
    assert "node" in done.result["message"] and "MiB" in done.result["message"], done
    assert done.result["hint"] and "child_exit_code" not in done.result, done


def test_memory_bomb_that_is_quicker_than_we(bed):
    """100 % leaves it to the kernel: its own count of our group says so, and we live."""
    done = run(bed, "head -c 2000000000 /dev/zero | tail", limits={"memory": "100%"})
    assert done.code == 33 and done.result["reason"] == "out-of-memory", done
    assert done.result["usage"]["memory_limit_bytes"] == 256 * MIB, done
    assert "kernel" in done.result["message"], done


def test_memory_bomb_of_files_in_memory(bed):
    """The layer is a tmpfs here: what a build writes is memory, and stays when it is dead."""
    done = run(bed, "i=0; while :; do head -c 4000000 /dev/zero >f$i; i=$((i+1)); done", size="1g",
               limits={"disk": "100%"})
    assert done.code == 33 and done.result["reason"] == "memory-limit", done
    assert "job job-" in log_of(bed), done


def test_page_cache_is_not_memory(bed):
    done = run(bed, "for i in 1 2 3; do head -c 200000000 /dev/zero >f; cat f >/dev/null; done; rm f",
               "mkdir dist; echo x >dist/index.html", arguments=["--workspace", "/disk"],
               volumes={"/disk": bed.results_folder()})
    assert done.code == 0, done


def test_limit_in_bytes_and_the_operators_bound(bed):
    done = run(bed, "node grow.js", files={"grow.js": GROW % 4}, limits={"memory": "200MiB"},
               operator="max: { limits: { memory: 120MiB } }\n")
    assert done.code == 33 and done.result["reason"] == "memory-limit", done
    assert done.result["usage"]["peak_memory_bytes"] < 200 * MIB and "120 MiB" in done.result["message"], done


def test_tasks_metadata_knows_a_limit_that_the_cgroup_does_not(bed):
    done = run(bed, "sleep 1; node -p 'process.env.NODE_OPTIONS' >dist.txt; mkdir dist; mv dist.txt dist", memory=None)
    assert done.code == 0 and done.result["usage"]["memory_limit_bytes"] == 2048 * MIB, done
    assert bed.published(done.container.spec)["dist.txt"].decode().strip() == "--max-old-space-size=1536", done


def test_heap_of_node_follows_the_limit_and_the_user(bed):
    read = "mkdir -p dist; echo \"$NODE_OPTIONS\" >dist/options.txt"
    done = run(bed, read)
    assert bed.published(done.container.spec)["options.txt"].decode().strip() == "--max-old-space-size=192", done


# -- disk

def test_disk_bomb_is_ended(bed):
    done = run(bed, "mkdir -p big/deep small; head -c 1000 /dev/zero >small/f; sleep 0.2;"
               "i=0; while :; do head -c 2000000 /dev/zero >big/deep/f$i; i=$((i+1)); done",
               memory=None, limits={"disk": "100MiB"})
    assert done.code == 34 and done.result["reason"] == "disk-limit", done
    assert "source/big" in done.result["message"] and "100 MiB" in done.result["message"], done
    assert done.result["usage"]["disk_limit_bytes"] == 100 * MIB, done
    assert done.result["usage"]["peak_disk_bytes"] > 100 * MIB, done


def test_full_disk_lets_result_and_log_out(bed):
    done = run(bed, "echo before; mkdir bulk; head -c 2000000000 /dev/zero >bulk/f; echo after; exit 1",
               memory=None, size="200m", limits={"disk": "100%"})
    assert done.code == 34 and done.result["reason"] == "disk-full", done
    assert "source/bulk" in done.result["message"], done
    text = log_of(bed)
    assert "before" in text and "after" in text and "disk-full" in text, text


# -- descriptors (processes: test_attack_container.py)

def test_descriptor_bomb(bed):
    script = "const fs=require('fs');try{for(;;)fs.openSync('/dev/null')}catch(e){console.log(e.code)};process.exit(3)"
    done = run(bed, "node bomb.js", files={"bomb.js": script})
    assert done.code == 31 and done.result["child_exit_code"] == 3 and "EMFILE" in done.text, done


# -- output

@pytest.mark.parametrize("size", [128 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.rare)])
def test_much_output_without_a_newline(bed, size):
    done = run(bed, f"head -c {size} /dev/zero | tr '\\0' x; exit 4", memory=256 * MIB, limits={"log": "1MiB"})
    assert done.code == 31 and done.result["child_exit_code"] == 4, done.result
    assert max(map(len, done.text.splitlines())) <= 16384
    assert len(done.text) < 4 * MIB and "limit of 1 MiB" in done.text


FORGED = "\\n12:00:00 build    done in 1s\\r\\n==> publish\\r12:00:01 publish  begins\\033[2K\\033[1G\\033]0;title\\007" \
         "\\n{\"type\":\"step-end\",\"step\":\"publish\",\"ok\":true}\\n::error::bad\\n##[group]x\\nA##[error]y\\n" \
         "##vso[task.complete]\\n\\342\\200\\25612:00:02 publish\\342\\200\\250::warning::z\\n"


def forge(bed, *arguments):
    return run(bed, f"printf '{FORGED}'", "exit 3", arguments=arguments, memory=None)


@pytest.mark.parametrize("form", ["plain", "emoji"])
def test_forged_lines(bed, form):
    done = forge(bed, "--log", form)
    assert done.code == 31, done
    for line in done.text.splitlines() + log_of(bed).splitlines():
        if any(word in line for word in ("done in 1s", "publish", "::", "vso", "title", "step-end")) and \
                "$ " not in line and " result " not in line and "job job-" not in line and " executor: " not in line:
            assert line[9:].startswith("build    | "), line
        assert "##[" not in line and "##vso[" not in line and not line.lstrip().startswith("::"), line
    for character in "\033\r\a\b\u202e\u2028":
        assert character not in done.text.replace("\r\n", "\n"), repr(character)


def test_forged_lines_in_json(bed):
    done = forge(bed, "--log", "json")
    assert done.code == 31, done
    steps = []
    for line in done.text.splitlines():
        assert "##" not in line and "\u202e" not in line and "\u2028" not in line, line
        record = json.loads(line)
        if record["type"].startswith("step-"):
            steps.append((record["type"], record["text"]))
    assert ("step-begin", "publish") not in steps and ("step-end", "publish") not in steps, done
    assert any(json.loads(line).get("text") == "##[group]x" for line in done.text.splitlines()), done


# -- silence

def test_idle_build_is_ended(bed):
    done = run(bed, "echo start; sleep 60", timeouts={"idle": "1s"}, memory=None)
    assert done.code == 124 and done.result["reason"] == "idle-timeout", done


def test_a_byte_now_and_then_is_no_silence_but_time_passes(bed):
    done = run(bed, "for i in 1 2 3 4 5; do printf .; sleep 0.4; done; exit 3", timeouts={"idle": "1s"},
               memory=None)
    assert done.code == 31 and done.result["child_exit_code"] == 3, done
    done = run(bed, "while :; do printf .; sleep 0.2; done", timeouts={"idle": "1s", "build": "2s"}, memory=None)
    assert done.code == 124 and done.result["reason"] == "step-timeout", done


# -- what lies about

HOSTILE = """
mkdir -p t/locked/in; touch t/locked/in/f; chmod 000 t/locked/in t/locked
ln -s /etc t/etc; ln -s / t/root; mkfifo t/fifo; touch "t/new
line" "t/-rf" "t/*"; truncate -s 1T t/sparse || truncate -s 1G t/sparse
node -e 'for (let i = 0; i < 2000; i++) { fs.mkdirSync("d"); process.chdir("d"); }'
"""


def test_a_hostile_workspace_is_removed_and_nothing_else(bed):
    """Where it lies on a volume that outlives the task."""
    volume = bed.results_folder()
    with open(os.path.join(volume, "kept"), "w") as file:
        file.write("kept")
    done = run(bed, HOSTILE, "exit 3", arguments=["--workspace", "/disk"], volumes={"/disk": volume}, memory=None)
    assert done.code == 31 and done.result["child_exit_code"] == 3, done
    assert os.listdir(volume) == ["kept"], done
    assert not any("could not be removed" in text for text in done.result.get("warnings", [])), done


def test_what_dead_jobs_left_is_removed_at_the_next_start(caisson, open_path):
    """The dead go, those of a job that lives stay, and so does what is nobody's workspace."""
    def workspace(name, hours=2):
        folder = open_path / "work" / name
        (folder / "source").mkdir(parents=True)
        (folder / "source" / "f").write_text("x")
        (folder / "source" / "etc").symlink_to("/etc")
        os.utime(folder, (time.time() - 3600 * hours,) * 2)
        return folder

    dead, living, young = workspace("caisson-aaaaaa"), workspace("caisson-bbbbbb"), workspace("caisson-cccccc", 0)
    other = workspace("caisson-not-one")
    (open_path / "repositories").mkdir()
    repository = repositories.Repository(str(open_path / "repositories"), {"index.html": "x"})
    spec = {"version": 1, "source": {"repository": f"file://{repository.folder}"}, "build": {"builder": "none"},
            "artifacts": [{"to": f"file:{open_path}/out/", "from": "."}]}
    (open_path / "job.json").write_text(json.dumps(spec))
    lock = os.open(living, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = caisson("run", "--workspace", str(open_path / "work"), str(open_path / "job.json"))
    finally:
        os.close(lock)
    assert done.returncode == 0, done.stdout
    assert "removed 1 left-over workspace of earlier jobs" in done.stdout
    assert not dead.exists() and living.exists() and young.exists() and other.exists()
    assert sorted(os.listdir(open_path / "work")) == ["caisson-bbbbbb", "caisson-cccccc", "caisson-not-one"]


def test_nothing_of_a_repository_makes_us_run_or_send_anything(bed):
    """Whatever looks like configuration of git, git-lfs, npm or the shell is a file like any other."""
    evil = "#!/bin/sh\ntouch /tmp/was-here\n"
    config = "[core]\n\tfsmonitor = /tmp/evil\n\thooksPath = .\n[filter \"evil\"]\n\tsmudge = touch /tmp/was-here\n" \
             "\tprocess = touch /tmp/was-here\n\trequired = true\n[url \"http://trap.test/\"]\n\tinsteadOf = http\n"
    files = {
        ".gitattributes": "* filter=evil diff=evil merge=evil\n", ".gitconfig": config,
        ".config/git/config": config, "config": config, "hooks/post-checkout": (evil, 0o755),
        "post-checkout": (evil, 0o755), ".lfsconfig": "[lfs]\n\turl = http://trap.test/lfs\n",
        ".gitmodules": "[submodule \"x\"]\n\tpath = x\n\turl = http://trap.test/x.git\n\tupdate = !touch /tmp/was-here\n",
        ".npmrc": "registry=http://trap.test/\nnode-options=--require ./evil.js\nscript-shell=./evil.sh\n",
        ".yarnrc.yml": "yarnPath: ./evil.js\n", ".pnpmfile.cjs": "require('fs').writeFileSync('/tmp/was-here', '')\n",
        "package.json": json.dumps({"packageManager": "yarn@http://trap.test/yarn.tgz",
                                    "scripts": {name: "touch /tmp/was-here" for name in ("preinstall", "build")}}),
        ".nvmrc": "$(touch /tmp/was-here)", ".env": "NODE_OPTIONS=--require ./evil.js\n", "evil.sh": (evil, 0o755),
        "evil.js": "require('fs').writeFileSync('/tmp/was-here', '')\n", ".profile": evil, ".bashrc": evil,
        "vite.config.js": "require('fs').writeFileSync('/tmp/was-here', '')\n",
        "big": "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n",
    }
    # The detection reads all of these, and the command that is ours to choose says whether something ran.
    spec = bed.spec(bed.repository(files), build={
        "install": False, "command": "mkdir dist; ls /tmp/was-here >dist/x 2>&1 || echo nothing >dist/x; git log -1 || :",
        "output": "dist"})
    done = bed.run(spec)
    assert done.code == 0, done
    assert bed.published(spec)["x"].decode().strip().endswith("nothing"), done
    assert not bed.world.trap.visitors, bed.world.trap.visitors
