# escape=\
FROM busybox
RUN a \
  b

CMD x