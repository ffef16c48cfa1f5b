FROM localhost:5055/debian:12
RUN echo go; echo 1000 >/proc/self/oom_score_adj; node -e 'const a=[];for(;;)a.push(Buffer.alloc(1e6,1))'
