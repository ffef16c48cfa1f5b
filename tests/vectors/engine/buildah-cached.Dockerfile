FROM localhost:5055/debian:12 AS build
WORKDIR /app
COPY package.json .
RUN echo installed > dep
ARG MODE=x
RUN set -e; cat dep > out
FROM localhost:5055/debian:12
COPY --from=build /app/out /out
RUN echo hi > /hi
USER node
CMD ["cat"]
