"""Inputs, the same on every machine: a repository of 10,000 files, and a site as VitePress leaves it."""

import os
import random
import subprocess

FILES_OF_REPOSITORY = 10_000
PAGES_OF_SITE = 541          # 3 files each, and 3 more: 1,626
LARGE_FILE = 1 << 30


class Text:
    """Source-like lines, drawn from a stock of them, so that megabytes take no time and compress as code does."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        words = ["".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=self.random.randint(2, 11)))
                 for _ in range(3000)]
        self.stock = ["  " * self.random.randint(0, 4)
                      + " ".join(self.random.choices(words, k=self.random.randint(1, 9))) for _ in range(20_000)]

    def of_size(self, size):
        lines = self.random.choices(self.stock, k=size // 20 + 1)
        return "\n".join(lines).encode()[:max(size - 1, 0)] + b"\n"

    def size(self, typical, most):
        """Sizes as files have them: many small ones, a few large."""
        return min(most, int(self.random.lognormvariate(0, 1.1) * typical) + 1)


def repository(folder):
    """A bare repository with one commit of many files below `folder`; returns its path."""
    path = os.path.join(folder, "large.git")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
    source = Text("repository")
    with subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE) as importer:
        write = importer.stdin.write
        write(b"commit refs/heads/main\ncommitter Bench <bench@example.test> 1767225600 +0000\ndata 7\nState.\n\n")
        for number in range(FILES_OF_REPOSITORY):
            name = f"packages/p{number % 97}/src/{number % 11}/file{number}.ts"
            data = source.random.randbytes(source.size(6000, 200_000)) if number % 100 == 0 else \
                source.of_size(source.size(2200, 200_000))
            write(f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n")
    if importer.returncode != 0:
        raise RuntimeError("git fast-import failed")
    subprocess.run(["git", "-C", path, "repack", "-a", "-d", "-f", "-q", "--threads=2"], check=True)
    return path


def small_repository(folder, files):
    """A bare repository that holds {path: bytes}."""
    path = os.path.join(folder, "small.git")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
    stream = b"commit refs/heads/main\ncommitter Bench <bench@example.test> 1767225600 +0000\ndata 7\nState.\n\n"
    for name, data in files.items():
        stream += f"M 100644 inline {name}\ndata {len(data)}\n".encode() + data + b"\n"
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input=stream, check=True)
    return path


def write(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def site(folder):
    """1,626 files, about 30 MB: for each page its HTML, and its script twice; a few assets."""
    source = Text("site")
    for number in range(PAGES_OF_SITE):
        section = f"guide/s{number % 29}"
        write(folder, f"{section}/page{number}.html", source.of_size(12_000 + source.size(13_000, 120_000)))
        script = source.of_size(5_000 + source.size(4_000, 60_000))
        digest = f"{source.random.getrandbits(40):010x}"
        write(folder, f"assets/guide_s{number % 29}_page{number}.md.{digest}.js", script)
        write(folder, f"assets/guide_s{number % 29}_page{number}.md.{digest}.lean.js", script[:2000])
    write(folder, "index.html", source.of_size(9_000))
    write(folder, "assets/style.css", source.of_size(110_000))
    write(folder, "assets/logo.png", source.random.randbytes(60_000))
    return folder


def large_file(folder):
    """1 GiB that no sparse file stands for."""
    block = random.Random("large").randbytes(16 << 20)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "large.bin"), "wb") as file:
        for number in range(LARGE_FILE // len(block)):
            file.write(number.to_bytes(8, "big") + block[8:])
    return folder
