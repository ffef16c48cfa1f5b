FROM localhost:5059/library/node:20 AS base
RUN echo never
