# syntax=docker/dockerfile:1
ARG NODE_VERSION=20
ARG REGISTRY=docker.io/library

FROM --platform=$BUILDPLATFORM ${REGISTRY}/node:${NODE_VERSION} AS Build
ARG NODE_VERSION
RUN npm ci && \
    npm run build

FROM Build as test
RUN npm test

from scratch
COPY --from=build --chown=1000:1000 /app/dist /srv
COPY --from=1 /report /report
ENTRYPOINT ["/srv/run"]
