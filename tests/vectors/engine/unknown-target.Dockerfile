FROM localhost:5055/debian:12 AS one
RUN echo x
