set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown -R postgres "$PGDATA"
    chmod 700 "$PGDATA"
    if [ -n "${POSTGRES_TLS:-}" ]; then
        install -o postgres -m 600 "$POSTGRES_TLS/tls.pem" "$POSTGRES_TLS/tls.key" /var/lib/postgresql
    fi
    exec setpriv --reuid=postgres --regid=postgres --init-groups sh "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --encoding UTF8 --locale C.UTF-8 --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" \
        --auth-local trust --auth-host scram-sha-256
    # With TLS, nobody is let in without it.
    echo "host${POSTGRES_TLS:+ssl} all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres
fi
if [ -n "${POSTGRES_TLS:-}" ]; then
    set -- -c ssl=on -c ssl_cert_file=/var/lib/postgresql/tls.pem -c ssl_key_file=/var/lib/postgresql/tls.key
fi
exec postgres "$@" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
