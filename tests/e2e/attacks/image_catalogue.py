"""The attacks of a Dockerfile's RUN: those of the catalogue that need nothing but root, and those on Kaniko, on the
image's layout and on the push."""

import hashlib
import json
from dataclasses import replace

from bed import registry
from bed.world import BUCKET

from . import catalogue
from .catalogue import IN_A_RUN, KANIKO_LOCAL, KANIKO_SANDBOX, Attack, Guard, class_is_not, visited
from .in_a_run import MINE, lies

# What root of any container may try.
ALSO_IN_A_RUN = """
    environ memory memory-of-workers grab inherited-descriptors own-environment calls core-dumps signals limits-of-pid-1
    scheduler-of-pid-1 guessed-address searched-files sniff second-connection forged-lines forged-records memory-bomb
    slow-memory-bomb many-small-processes descriptor-bomb output-without-a-newline
""".split()
QUICK_IN_A_RUN = {
    "environ", "memory", "grab", "signals", "sniff", "second-connection", "replaced-kaniko", "lingering-until-the-push",
    "layout-with-a-link", "layout-that-is-a-link", "layout-with-another-content", "replaced-network", "pull-token",
    "other-secrets-of-the-build", "killed-kaniko", "forged-words-of-kaniko",
}
SECRET = "canary-of-root\n"
OF_THE_JOB = ("J=$(cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | "
              "sed -n 's,^--oci-layout-path=\\(.*\\)/image/layout$,\\1,p' | head -n 1); ")
SECRET_DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
PRIVATE_FILES = {}


def _private(name, content):
    PRIVATE_FILES[f"/etc/private/{name}"] = (content, 0o600)
    return {"digest": "sha256:" + hashlib.sha256(content.encode()).hexdigest(), "size": len(content)}


def _private_image():
    """Another image's layout, in a folder of the container that pushes: only root may read it."""
    kind = "application/vnd.oci.image.%s.v1+json"
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", **_described(SECRET)}
    settings = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": [layer["digest"]]}})
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind % "manifest", "layers": [layer],
                           "config": {"mediaType": kind % "config", **_described(settings)}})
    index = json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": kind % "manifest", **_described(manifest)}]})
    for name, content in (("oci-layout", '{"imageLayoutVersion": "1.0.0"}'), ("index.json", index)):
        _private(name, content)
    for content in (SECRET, settings, manifest):
        _private("blobs/sha256/" + hashlib.sha256(content.encode()).hexdigest(), content)
    above = {path.replace("/private/", "/private/layout/"): content for path, content in PRIVATE_FILES.items()}
    return {"/etc/secret-of-root": (SECRET, 0o600), **PRIVATE_FILES, **above}


def _described(content):
    return {"digest": "sha256:" + hashlib.sha256(content.encode()).hexdigest(), "size": len(content)}


def sent_or_not_refused(fought):
    """Nothing of such a layout is sent, and it is called what it is."""
    return fought.sent or class_is_not("output-refused")(fought)


def in_registry(text):
    return lambda fought: any(text.encode() in content for content in fought.registry.values())


def succeeded_or_sent(fought):
    return fought.ended.code == 0 or fought.sent


def another_base(fought):
    bases = fought.ended.result["image"]["bases"]
    return len(bases) != 1 or not bases[0].startswith("busybox@sha256:") or "f" * 64 in bases[0]


def has(value):
    return lambda fought: value.encode() in fought.witness


def stored_elsewhere(fought):
    """Of what the cache holds everything is this branch's, and nothing of it came from elsewhere."""
    foreign = [path for path in fought.published if not path.startswith("shop/refs~2fheads~2fmain/")]
    return foreign or [path for path, content in fought.published.items() if b"canary-of-root" in content]


def cache_of(spec):
    """Each job's own: what is cached is not run."""
    return f"cache-{spec['id']}/"


def with_cache(spec):
    spec["cache"] = [{"to": f"s3://{BUCKET}/{cache_of(spec)}"}]
    spec["source"]["ref"] = "main"


def with_pull_token(spec):
    spec["image"]["pull_auth"] = {"username": registry.PULLER, "password": {"env": "PULL_PASSWORD"},
                                  "registry": "mirror.test"}


def with_secret(spec):
    spec["secrets"]["MINE"] = {"env": "MY_SECRET"}
    spec["build"]["secrets"] = ["MINE"]


def layout(kind, *arguments):
    return " ".join(["/attack/layout", kind, *arguments])


IMAGE_ATTACKS = [
    # -- Kaniko and its processes
    Attack("memory-of-everybody", "/attack/read_processes everybody environ cmdline mem", IN_A_RUN),
    Attack("replaced-kaniko", "sh /attack/replace_kaniko.sh", IN_A_RUN, guards=(
        Guard("self-by-descriptor", ground=KANIKO_LOCAL),)),
    Attack("killed-kaniko", layout("killed"), IN_A_RUN, won=succeeded_or_sent, hurries=True),
    Attack("lingering-until-the-push", "/attack/lingers", IN_A_RUN, won=lambda fought: fought.alive, guards=(
        Guard("sweep", ground=KANIKO_LOCAL, quick=True),)),
    # -- the network of the push
    Attack("replaced-network", "sh /attack/replace_network.sh", IN_A_RUN, won=visited, guards=(
        Guard("files-restored", ground=KANIKO_LOCAL, quick=True),)),
    # -- the layout
    Attack("layout-with-a-link", layout("file", "/etc/secret-of-root", SECRET_DIGEST, str(len(SECRET))), IN_A_RUN,
           won=sent_or_not_refused, hurries=True, files=_private_image(), guards=(
               Guard("layout-confined", ground=KANIKO_SANDBOX, won=in_registry(SECRET), quick=True),)),
    Attack("layout-that-is-a-link", layout("folder", "/etc/private"), IN_A_RUN, won=sent_or_not_refused, hurries=True,
           files=_private_image(), rare=(KANIKO_SANDBOX,)),
    Attack("layout-with-linked-blobs", layout("blobs", "/etc/private"), IN_A_RUN, won=sent_or_not_refused, hurries=True,
           files=_private_image()),
    Attack("swapped-folder-of-the-image", OF_THE_JOB + "mv $J/image $J/image.old && "
           "ln -s /etc/private $J/image && echo changed >>$WITNESS", IN_A_RUN, won=succeeded_or_sent, hurries=True,
           files=_private_image()),
    Attack("swapped-workspace-in-a-run", OF_THE_JOB + "mv $J $J.old && ln -s /etc/private $J && "
           "echo changed >>$WITNESS", IN_A_RUN, won=succeeded_or_sent, hurries=True, files=_private_image()),
    Attack("layout-with-our-environment", layout("environ"), IN_A_RUN, won=sent_or_not_refused, hurries=True),
    Attack("layout-with-hard-links", layout("hard"), IN_A_RUN, won=sent_or_not_refused, hurries=True, guards=(
        Guard("layout-files", ground=KANIKO_SANDBOX),)),
    Attack("layout-with-a-fifo", layout("fifo"), IN_A_RUN, won=sent_or_not_refused, hurries=True),
    Attack("layout-with-another-content", layout("content"), IN_A_RUN, won=sent_or_not_refused, hurries=True, guards=(
        Guard("layout-hashed", ground=KANIKO_SANDBOX),), rare=(KANIKO_SANDBOX,)),
    Attack("layout-that-is-larger", layout("larger"), IN_A_RUN, won=sent_or_not_refused, hurries=True),
    Attack("layout-with-a-giant-index", layout("index"), IN_A_RUN, won=sent_or_not_refused, hurries=True,
           change=lambda spec: spec.update(limits={"disk": "100%"})),
    Attack("layout-with-foreign-layers", layout("foreign"), IN_A_RUN, won=sent_or_not_refused, hurries=True),
    Attack("layout-of-another-image", layout("other"), IN_A_RUN, won=lies, hurries=True),
    Attack("forged-words-of-kaniko", "sh /attack/forge_kaniko.sh", IN_A_RUN, won=another_base),
    # -- the layer cache
    Attack("cache-with-links", f"sh /attack/cache_link.sh {SECRET_DIGEST}", IN_A_RUN, won=stored_elsewhere, hurries=True,
           files=_private_image(), change=with_cache, stored=cache_of),
    # -- the disk: of the task, one for all of its containers; here each has a file system of its own
    Attack("disk-bomb-in-a-run", catalogue.DISK_BOMB, (KANIKO_LOCAL,), won=class_is_not("disk-full"),
           change=catalogue.little_disk),
    Attack("disk-bomb-in-the-volume", "cd /var/lib/caisson; " + catalogue.DISK_BOMB, (KANIKO_SANDBOX,),
           won=class_is_not("disk-full"), change=catalogue.little_disk),
    # -- what every RUN can read
    Attack("pull-token", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | sed -n 's/^DOCKER_CONFIG=//p' | "
           "while read folder; do cat $folder/config.json; done | sed 's/.*\"auth\": *\"//; s/\".*//' | "
           "base64 -d >>$WITNESS", IN_A_RUN, change=with_pull_token, won=has(registry.PULL_PASSWORD),
           conceded=IN_A_RUN),
    Attack("other-secrets-of-the-build", "cat /kaniko/secrets/* >>$WITNESS", IN_A_RUN, change=with_secret,
           won=has(MINE), conceded=IN_A_RUN),
]

OF_ROOT = {catalogue.LOCAL_ROOT: KANIKO_LOCAL, catalogue.SANDBOX_ROOT: KANIKO_SANDBOX}
for attack in catalogue.ATTACKS:
    if attack.name in ALSO_IN_A_RUN:
        attack.grounds += IN_A_RUN
        attack.guards += tuple(replace(guard, ground=OF_ROOT[guard.ground], quick=False) for guard in attack.guards
                               if guard.ground in OF_ROOT)
IMAGE_ATTACKS.append(Attack("calls-unfiltered-by-others-in-a-run", catalogue.CALLS, (KANIKO_LOCAL,),
                            options={"filtered": False}))
ATTACKS = catalogue.ATTACKS + IMAGE_ATTACKS


def is_quick(attack, ground):
    if ground.kaniko:
        return attack.name in QUICK_IN_A_RUN
    return ground.executor == "local" or attack.name in catalogue.QUICK_IN_SANDBOX
