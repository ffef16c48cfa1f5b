FROM localhost:5055/debian:12
RUN kill -11 $$
