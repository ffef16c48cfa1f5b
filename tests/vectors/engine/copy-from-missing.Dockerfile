FROM localhost:5055/debian:12 AS a
RUN echo one
FROM scratch
COPY --from=a /nothere /y
