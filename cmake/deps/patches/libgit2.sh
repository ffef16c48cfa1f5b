#!/bin/sh
# Run in libgit2's source folder.
set -eu

# Without TCP_NODELAY every request of a fetch waits 40 ms for the peer's delayed acknowledgement.
f=src/libgit2/streams/socket.c
sed -i 's@^\t\t/\* Enable TCP keepalive to detect dead connections \*/@\t\tif (s != INVALID_SOCKET) {\n\t\t\tint nodelay = 1;\n\t\t\tsetsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)\&nodelay, sizeof(nodelay));\n\t\t}\n&@' "$f"
grep -q TCP_NODELAY "$f"
