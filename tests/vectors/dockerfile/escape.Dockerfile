# escape=`
# check=skip=all

FROM mcr.example/windows
COPY a.txt C:\
RUN dir `
 /b
RUN echo \
