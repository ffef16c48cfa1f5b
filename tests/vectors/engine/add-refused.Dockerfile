FROM localhost:5055/debian:12
ADD http://127.0.0.1:9/x /y
