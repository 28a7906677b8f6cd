"""A store filled from a backup, and compared with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine, Table, create_engine
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.pool import NullPool

from runtime.artifacts.tree import Tree
from runtime.backup import fit, schema
from runtime.backup.format import artifacts, manifest, parts, rows
from runtime.backup.format.manifest import Manifest
from runtime.errors import UserError


def load_database(engine: Engine, of: Manifest, tables: Mapping[str, Path]) -> Manifest:
    """Fill an emptied store from a backup's tables, which are local files by now.

    Returns the manifest with the digests that this version has of the same rows. Raises UserError
    where the database does not take them.
    """
    schema.make_empty(engine, of.name)
    schema.make_tables(engine, of.revision)
    with engine.connect() as connection:
        known = rows.reflect(connection).sorted_tables
    loaded = {
        table.name: _load(engine, table, tables[table.name])
        for table in known
        if table.name in tables
    }
    filled = {name for name, part in of.tables.items() if part.rows}
    if missing := sorted(filled - loaded.keys()):
        raise UserError(f"the schema {of.revision} has no tables {missing}")
    # Foreign keys were not checked on these connections.
    engine.dispose()
    summed = {
        name: replace(of.tables[name], digest=dumped.digest) for name, dumped in loaded.items()
    }
    return replace(of, tables={**of.tables, **summed})


def _load(engine: Engine, table: Table, file: Path) -> rows.TableDump:
    try:
        return rows.load(engine, table, file)
    except (DataError, IntegrityError, ValueError) as error:
        # The driver's own words; SQLAlchemy would add the statement and its values.
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UserError(f"table {table.name} cannot be restored: {reason}") from None


def compare(engine: Engine, of: Manifest) -> list[str]:
    """The tables that do not hold what the backup does, by a manifest of ``load_database``.

    From another kind of database to MySQL only the number of rows is: it rounds some numbers.
    """
    same_kind = of.database == "mysql" or engine.dialect.name != "mysql"
    problems = list[str]()
    with engine.connect() as connection:
        for table in rows.reflect(connection).sorted_tables:
            part = of.tables.get(table.name)
            if part:
                found = rows.summarise(connection, table)
                if found.rows != part.rows:
                    problems.append(f"table {table.name}: {found.rows} rows, not {part.rows}")
                elif same_kind and found.digest != part.digest:
                    problems.append(f"table {table.name}: other rows")
    return problems


def verify(
    tree: Tree, name: str | None, kinds: Sequence[str] = (), now: str | None = None
) -> tuple[Manifest, list[str]]:
    """Restore a backup into a scratch place; returns what is wrong with it.

    ``kinds`` are dialects of SQLAlchemy: what of its rows a database of that kind would not take
    is wrong, too; ``now`` as in `fit`.
    """
    of = manifest.read(tree, name)
    own = manifest.held(tree, of)
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        engine = create_engine(f"sqlite:///{scratch / 'store.sqlite'}", poolclass=NullPool)
        tables = parts.tables(own, of, scratch)
        problems = compare(engine, load_database(engine, of, tables))
        for kind in kinds:
            problems += fit.of_kind(kind, of, tables, scratch, now)
        if of.artifacts and (listing := parts.listing(own, of, scratch)):
            held = own.at(parts.ARTIFACTS)
            whole, broken = artifacts.copy_out(held, listing, scratch, None)
            problems += broken
            if whole + len(broken) != of.artifacts.files:
                problems.append(f"{whole} artifacts, not {of.artifacts.files}")
    return of, problems
