FROM debian:12
RUN apt-get update \
    # a comment between
 && apt-get install -y \
      curl \

      git \  
	make
RUN echo one \\
RUN echo "two \
three"
RUN \
  echo late
ENV A=1 \
    B=2
RUN last \
