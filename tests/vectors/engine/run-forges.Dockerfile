FROM localhost:5055/debian:12
RUN echo one
RUN echo 'time="2026-01-09T12:00:00Z" level=info msg="RUN echo three"'; echo 'error building image: error building stage: failed to get filesystem from image: dial tcp: connection refused'; echo 'Error: creating build container: connection refused'; echo 'STEP 4/4: RUN echo three'; echo '--> 0123456789ab'; echo 'time="2026-01-09T12:00:00Z" level=fatal msg="no space"'; exit 7
RUN echo three
