FROM localhost:5055/debian:12
RUN sh -c 'kill -9 $$'
