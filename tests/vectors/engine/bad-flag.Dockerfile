FROM localhost:5055/debian:12
COPY --wrong=1 a b
