FROM alpine
RUN cat <<EOF "x
RUN cat <<"" <<-'' x
RUN cat<<EOF
RUN cat <<- EOF
RUN it\'s <<EOF
one
EOF
LABEL a=<<EOF
ENTRYPOINT cat <<EOF
