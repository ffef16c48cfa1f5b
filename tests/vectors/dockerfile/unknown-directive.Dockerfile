# key=value
# escape=`
FROM scratch
COPY a \
  b /
