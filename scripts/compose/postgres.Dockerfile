# Stands in for postgres:16 where there is no registry. Same variables, same folder, same user.
ARG BASE
FROM ${BASE}
RUN echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>/etc/passwd \
 && echo 'postgres:x:999:' >>/etc/group \
 && mkdir -p /var/lib/postgresql/data /run/postgresql \
 && chown -R 999:999 /var/lib/postgresql /run/postgresql \
 && ln -sf /usr/lib/postgresql/*/bin/* /usr/bin/
COPY postgres-entrypoint.sh /usr/bin/postgres-entrypoint
USER 999:999
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["sh", "/usr/bin/postgres-entrypoint"]
