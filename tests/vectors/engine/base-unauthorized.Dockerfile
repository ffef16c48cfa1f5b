FROM localhost:5056/private:1 AS base
RUN echo never
