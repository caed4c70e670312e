# Stands in for redis:7 where there is no registry.
ARG BASE
FROM ${BASE}
RUN echo 'redis:x:999:999::/data:/bin/sh' >>/etc/passwd && echo 'redis:x:999:' >>/etc/group \
 && mkdir -p /data && chown 999:999 /data
USER 999:999
WORKDIR /data
VOLUME /data
