# Node, for a project without a Dockerfile of its own.
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY . .
