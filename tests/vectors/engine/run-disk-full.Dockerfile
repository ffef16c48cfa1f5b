FROM localhost:5055/debian:12
RUN head -c 3000000000 /dev/zero > /big
