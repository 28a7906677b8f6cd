"""Oracle Cloud Infrastructure."""

# What holds data -> the names of those that hold none.
DATA = dict[str, str | None].fromkeys(
    (
        "oci:Mysql/mysqlDbSystem:MysqlDbSystem",
        "oci:ObjectStorage/bucket:Bucket",
        "oci:Psql/dbSystem:DbSystem",
    )
)
