FROM localhost:5055/debian:12
RUN echo go; node -e 'const a=[];for(;;)a.push(Buffer.alloc(1e6,1))'
