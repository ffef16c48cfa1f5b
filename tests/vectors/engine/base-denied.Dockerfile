FROM localhost:5058/private:1 AS base
RUN echo never
