FROM node:20 AS base
RUN echo never
