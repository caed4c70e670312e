#!/bin/sh
# Makes the database at the first start, then serves.
set -eu
data=/var/lib/postgresql/data
if [ ! -s "$data/PG_VERSION" ]; then
  umask 077
  printf %s "$POSTGRES_PASSWORD" >/tmp/password
  initdb -D "$data" -U "$POSTGRES_USER" --auth scram-sha-256 --pwfile /tmp/password \
    --encoding UTF8 --locale C.UTF-8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  echo "CREATE DATABASE \"$POSTGRES_DB\"" |
    postgres --single -D "$data" postgres >/dev/null
fi
exec postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/run/postgresql
