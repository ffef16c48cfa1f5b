#!/usr/bin/env python3
"""Writes the compressed files beside it: Python's gzip, node's brotli, the zstd program."""
import gzip
import os
import subprocess

SECRET = b"S3cr3t-Value-Of-The-Job"
BROTLI = ("const {stdin, stdout} = process, zlib = require('zlib');"
          "stdin.pipe(zlib.createBrotliCompress()).pipe(stdout)")


def brotli(data):
    return subprocess.run(["node", "-e", BROTLI], input=data, stdout=subprocess.PIPE, check=True).stdout


def zstd(data):
    return subprocess.run(["zstd", "-19", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def gz(data):
    return gzip.compress(data, mtime=0)


def text(size):
    return b"".join(b"function f%d() { return %d; }\n" % (i, i * 7919 % 10007) for i in range(size // 28))[:size]


def main():
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    clean = text(100_000)
    secret = clean[:65536 - 7] + SECRET + clean[65536:]
    zeros = bytes(64 << 20)
    files = {
        "text.js.gz": gz(secret), "text.js.br": brotli(secret), "text.js.zst": zstd(secret),
        "clean.js.gz": gz(clean), "clean.js.br": brotli(clean), "clean.js.zst": zstd(clean),
        "two.js.gz": gz(clean[:3000]) + gz(SECRET), "two.js.zst": zstd(clean[:3000]) + zstd(SECRET),
        "bomb.br": brotli(zeros), "bomb.zst": zstd(zeros),
    }
    for name, data in files.items():
        with open(name, "wb") as file:
            file.write(data)


main()
