FROM scratch
HEALTHCHECK --interval=5m CMD curl -f http://localhost/ || exit 1
MAINTAINER someone@example.com
LABEL a=b "c d"=e
EXPOSE 80/tcp
VOLUME /data
STOPSIGNAL SIGINT
SHELL ["/bin/sh", "-c"]
ADD --checksum=sha256:00 https://example.com/x /x
