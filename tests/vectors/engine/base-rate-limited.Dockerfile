FROM localhost:5057/library/node:20 AS base
RUN echo never
