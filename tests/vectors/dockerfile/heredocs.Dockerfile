FROM alpine
RUN <<EOF
apk add git
RUN this is no instruction
FROM nor this
EOF
COPY <<-"A FILE" <<B /etc/
	hello
	A FILE
second
	B
B
RUN cat <<'X' | sh -s 3<<-Y
EOF
X
	Y
ONBUILD RUN <<E
echo
E
RUN ["sh", "-c", "cat <<EOF"]
RUN echo $((1<<3)) "x <<EOF" a<<b
RUN --mount=type=cache,target=/x <<<word
COPY <<EOF /dockerfile
# not a comment, \
EOF
USER nobody
RUN cat << EOF;  x <<   "A"
EOF;
A
USER root
