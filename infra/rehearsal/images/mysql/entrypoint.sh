set -eu
data=/var/lib/mysql
if [ ! -d "$data/mysql" ]; then
    mariadb-install-db --user=mysql --datadir="$data" --auth-root-authentication-method=socket >/dev/null
    password=$(cat /server/password)
    # As a managed service does it: its administrator may do all, and hand on what it may.
    cat >/tmp/init.sql <<SQL
CREATE USER '$MYSQL_ADMIN'@'%' IDENTIFIED BY '$password' REQUIRE SSL;
GRANT ALL PRIVILEGES ON *.* TO '$MYSQL_ADMIN'@'%' WITH GRANT OPTION;
SQL
    set -- --init-file=/tmp/init.sql
fi
install -o mysql -m 600 /server/tls.pem /server/tls.key /run/
mkdir -p /run/mysqld
chown mysql /run/mysqld
exec mariadbd --user=mysql --datadir="$data" --bind-address=0.0.0.0 --require-secure-transport=ON \
    --ssl-cert=/run/tls.pem --ssl-key=/run/tls.key "$@"
