FROM registry.invalid/library/node:20 AS base
RUN echo never
