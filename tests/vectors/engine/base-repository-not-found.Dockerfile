FROM localhost:5055/nothere:1 AS base
RUN echo never
