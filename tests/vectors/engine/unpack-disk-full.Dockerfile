FROM localhost:5055/debian:12
RUN echo x
