FROM scratch
ONBUILD COPY . /src
onbuild run make -C /src
