FROM localhost:5055/debian:99 AS base
RUN echo never
