# a comment ends the directives
# escape=`
FROM scratch
COPY a \
  b /
