FROM localhost:9/library/node:20 AS base
RUN echo never
