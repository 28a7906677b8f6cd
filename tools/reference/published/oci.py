"""Oracle's container guide."""

from tools.reference.published.line import IMAGE, IMAGE_TESTS, RUN, START, Line

TITLE = "Oracle's container guide"
LINES = (
    Line(
        "`docker build -t IMAGE -f container-image/Dockerfile .`",
        "`docker build -t IMAGE -f runtime/Dockerfile .`",
        "other",
        "for `oci://` with `--build-arg EXTRAS=postgresql,mysql,oidc,oci`",
        test=f"{IMAGE_TESTS}/test_image_build.py::test_extras_packages_and_labels_are_as_asked",
    ),
    Line(
        "`docker run --rm --network host -e MLFLOW_HOST=0.0.0.0 IMAGE`, `-p 5000:5000`",
        "the same",
        "same",
        "the first start makes a token and shows it once; the log says that HTTP is plain",
        variables=IMAGE,
        told="plain HTTP",
        test=f"{RUN}::test_the_printed_line_lets_its_owner_in_and_shows_the_token_once",
    ),
    Line(
        "`http://myhost.example.com:5000`",
        "with `TRACKSTACK_PUBLIC_URL=http://myhost.example.com:5000`",
        "other",
        "another name is refused with 403, whose text has the line to set",
        variables={"TRACKSTACK_PUBLIC_URL": "http://myhost.example.com:5000"},
        test=f"{START}::test_a_name_that_the_server_does_not_know_is_told_the_way_out",
    ),
    Line(
        "`MLFLOW_GUNICORN_OPTS='--log-level debug'`",
        "the same, or `TRACKSTACK_LOG_LEVEL`; the key `logLevel`",
        "same",
        "other options are told to be of no use",
        variables={"MLFLOW_GUNICORN_OPTS": "--log-level debug"},
        told="MLFLOW_WORKERS",
        keys=("logLevel",),
    ),
    Line(
        "`MLFLOW_WORKERS=4`",
        "the same; the key `workers`",
        "same",
        "without it one for each CPU",
        variables={"MLFLOW_WORKERS": "4"},
        keys=("workers",),
    ),
    Line(
        "`-v ./dir:/data`",
        "the same, for a folder of user 10001",
        "other",
        "one of another's, or read-only, is one line with the cure",
        test=f"{RUN}::test_what_cannot_work_ends_in_one_line_with_the_cure",
    ),
    Line(
        "`-v ~/.oci:/root/.oci -e OCIFS_IAM_TYPE=api_key`",
        '`-v ~/.oci:/home/trackstack/.oci:ro --user "$(id -u):$(id -g)"`',
        "other",
        "as printed the server does not start, and says so",
        variables={"OCIFS_IAM_TYPE": "api_key"},
        test="tests/runtime/oci/test_login.py::"
        "test_a_mounted_file_that_is_not_found_is_told_from_one_that_cannot_be_read",
    ),
    Line(
        "`OCIFS_IAM_TYPE=resource_principal` or `instance_principal`",
        "the same",
        "same",
        "a stack sets it",
        variables={"OCIFS_IAM_TYPE": "resource_principal"},
    ),
    Line(
        "`MLFLOW_ARTIFACTS_DESTINATION=oci://bucket@namespace/prefix`",
        "the same, in an image with the extra `oci`",
        "same",
        "without the library, the login or the bucket the server does not start",
        variables={"MLFLOW_ARTIFACTS_DESTINATION": "oci://bucket@namespace/prefix"},
        test="tests/runtime/artifacts/test_owner.py::"
        "test_a_library_that_is_missing_is_told_as_an_image_gets_it",
    ),
    Line(
        "`MLFLOW_DEFAULT_ARTIFACT_ROOT=oci://…` beside `MLFLOW_SERVE_ARTIFACTS=1`",
        "leave it out",
        "other",
        "clients would write there themselves, which the log says",
        variables={"MLFLOW_DEFAULT_ARTIFACT_ROOT": "oci://bucket@namespace/prefix"},
        told="leave it out",
    ),
    Line(
        "`BACKEND_PROVIDER=mysql`, `mysql+mysqlconnector://…`",
        "the same",
        "same",
        "signs in a password are escaped: `@` is `%40`",
        variables={"MLFLOW_BACKEND_STORE_URI": "mysql+mysqlconnector://u:p%40@h:3306/mlflow"},
        test=f"{IMAGE_TESTS}/test_image_databases.py::"
        "test_the_published_mysql_variables_start_the_image",
    ),
    Line(
        "`BACKEND_PROVIDER=mysql` and no URI",
        "give it the URI or the secret",
        "better",
        "is refused, where it was an empty SQLite",
        variables={"BACKEND_PROVIDER": "mysql"},
        refused="nothing says where the database is",
    ),
    Line(
        "`DB_SECRET_OCID`",
        "the same; the key `databaseSecretId`",
        "same",
        variables={"DB_SECRET_OCID": "ocid1.vaultsecret.oc1..x"},
        keys=("databaseSecretId",),
    ),
    Line(
        "a store of an older MLflow behind it",
        "`TRACKSTACK_UPGRADE=true`",
        "better",
        "nothing is migrated unasked; a backup is made first",
        variables={"TRACKSTACK_UPGRADE": "true"},
        test="tests/runtime/server/test_older_store.py::test_it_is_refused_and_stays_byte_for_byte",
    ),
    Line(
        "image `{region}.ocir.io/{namespace}/{name}:{tag}`, dynamic group, policies",
        "made by the stack",
        "better",
        "by digest; each right on the stack's own resources",
        targets=("up",),
    ),
    Line(
        "ingress TCP 5000 from 0.0.0.0/0, reverse proxy by hand",
        "TLS on 443 from `allowedCidrs`",
        "better",
        "5000 is never open, and every route asks for a token",
        keys=("allowedCidrs",),
    ),
)
