FROM localhost:5055/debian:12
RUN nosuchcommand; exit 1
