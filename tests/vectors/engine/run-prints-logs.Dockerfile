FROM localhost:5055/debian:12
RUN echo 'time="2026-01-09T12:00:00Z" level=info msg="from a program of the user"'; echo 'STEP 1/9: FROM other'; echo '--> something'
RUN echo last
