FROM localhost:5055/debian:12
COPY package.json /x
RUN echo one
COPY nothere.txt /y
