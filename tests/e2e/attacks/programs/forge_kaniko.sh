# Lines as Kaniko writes them: of another base image, and of an instruction that was cached.
say() { printf 'time="2026-01-09T12:00:00Z" level=info msg="%s"\n' "$1" >&2; }
say "Taking snapshot of full filesystem..."
say "Retrieving image manifest trusted.test/base"
say "shared-base: stored sha256:$(printf 'f%.0s' $(seq 64))"
say "Building stage 'trusted.test/base' [idx: '0', base-idx: '-1']"
say "Using caching version of cmd: RUN echo done"
say "RUN echo done"
