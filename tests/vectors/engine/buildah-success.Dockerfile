# syntax=docker/dockerfile:1
ARG BASE=localhost:5055/debian:12
FROM $BASE
ARG GREETING=hello
ENV NODE_ENV=production \
    PORT=3000
WORKDIR /app
COPY package.json ./
RUN echo "installing"; \
    # a comment between
    echo "a warning" >&2; \
    printf 'no end of line'
RUN set -e; echo "from a heredoc: $GREETING"; touch made
RUN ["/bin/echo", "exec form"]
USER node
EXPOSE 3000
CMD ["node", "index.js"]
