FROM localhost:5055/debian:12 AS base
ONBUILD RUN echo "triggered"
ENV A=1
FROM localhost:5055/debian:12 AS unused
RUN echo unused
FROM base AS build
WORKDIR /src
COPY . .
RUN echo building; mkdir -p /out; date > /out/x
RUN echo building; mkdir -p /out; date > /out/x
FROM base AS test
RUN echo testing
FROM scratch AS runtime
COPY --from=build /out /out
COPY package.json /
LABEL x="y z"
ENTRYPOINT ["/out/x"]
