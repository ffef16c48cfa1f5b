FROM localhost:5055/debian:12
WORKDIR /app

RUN echo out && \
    echo err >&2 && \
    exit 3
RUN echo never
