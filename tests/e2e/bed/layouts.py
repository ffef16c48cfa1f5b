"""OCI image layouts made by hand: as small as can be, of any content."""

import gzip
import hashlib
import io
import json
import os
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(files):
    """{path: bytes} as a tar."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def write(folder, *layers, architecture="amd64", labels=None):
    """A layout of one image, a layer for each {path: bytes}. Gives the digest of its manifest."""
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs)

    def put(content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    archives = [layer(files) for files in layers]
    settings = {"Cmd": ["/bin/true"], **({"Labels": labels} if labels else {})}
    config = {"architecture": architecture, "os": "linux", "config": settings, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(archive).hexdigest() for archive in archives]}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": put(json.dumps(config).encode(), CONFIG),
                "layers": [put(gzip.compress(archive, 1, mtime=0), LAYER) for archive in archives]}
    described = put(json.dumps(manifest).encode(), MANIFEST)
    described["platform"] = {"architecture": "amd64", "os": "linux"}
    with open(os.path.join(folder, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [described]}, file)
    with open(os.path.join(folder, "oci-layout"), "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
    return described["digest"]
