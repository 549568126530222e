"""The databases of an engine, as its configuration names them."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from dataflow.abc import Dialect
from dataflow.capabilities import Capability
from dataflow.config import PRIMARY, READ_REPLICA, DataFlowConfig
from dataflow.errors import ConfigurationError
from dataflow.execution.database import Database
from dataflow.execution.forks import watch_forks
from dataflow.execution.pool import WorkflowConnectionPool
from dataflow.url import DatabaseURL

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataflow.abc import Connection, ReplicatingDialect
    from dataflow.execution.loop_pools import LoopPools
    from dataflow.execution.replica import Replica

__all__ = ["databases_of"]


def databases_of(config: DataFlowConfig) -> dict[str, Database]:
    """Every database of a configuration by its name; no connection is opened.

    :raises ConfigurationError: where the plugin of one is missing, or the primary can have no replica.
    """
    return {
        name: _database(name, url, config) for name, url in config.databases.items() if name != READ_REPLICA
    }


def _database(name: str, url: DatabaseURL, config: DataFlowConfig) -> Database:
    from dataflow.plugins import plugins

    dialect = plugins().dialect(url.scheme).create(url, config)
    pool = _pool(dialect, dialect.connection, config)
    database = Database(
        name,
        dialect,
        pool,
        wait=config.pool_timeout,
        idle_timeout=config.transaction_idle_timeout,
        migrate=config.auto_migrate and not config.existing_schema_mode,
        may_change_schema=not config.existing_schema_mode,
        interceptors=[
            interceptor
            for contributed in plugins().hooks.dataflow_statement_interceptors(config=config)
            for interceptor in contributed
        ],
        place=str(replace(_anonymous(url), options={})),
        replica=_replica(url, dialect, pool, config) if name == PRIMARY else None,
    )
    watch_forks(database)
    return database


def _pool(
    dialect: Dialect, connect: "Callable[[], Connection]", config: DataFlowConfig
) -> "WorkflowConnectionPool | LoopPools":
    size = config.pool_size if config.pool_size is not None else dialect.pool_size
    overflow, timeout = config.pool_max_overflow, config.pool_timeout
    if dialect.max_connections is not None:
        size, overflow = min(size, dialect.max_connections), 0
    if dialect.in_process:
        return WorkflowConnectionPool(connect, size, overflow, timeout, fork_closes=dialect.fork_closes)
    # They import asyncio.
    from dataflow.execution.loop_pools import LoopPools
    from dataflow.execution.network_pool import NetworkPool

    return LoopPools(lambda: NetworkPool(connect, size, overflow, timeout))


def _replica(
    primary: DatabaseURL,
    dialect: Dialect,
    pool: "WorkflowConnectionPool | LoopPools",
    config: DataFlowConfig,
) -> "Replica | None":
    """The replica of the primary; none where that is named twice, as where people develop."""
    url = config.databases.get(READ_REPLICA)
    if url is None or _anonymous(url) == _anonymous(primary):
        return None
    from dataflow.plugins import plugins

    if plugins().dialect(url.scheme) is not plugins().dialect(primary.scheme):
        raise ConfigurationError(
            f"{READ_REPLICA}: a {url.scheme} database is no replica of a {primary.scheme} database; for one of its own "
            f"choose another name, such as {url.scheme}_db"
        )
    if Capability.REPLICAS not in dialect.capabilities:
        raise ConfigurationError(
            f"{READ_REPLICA}: the dialect {dialect.name} cannot tell how far a replica is, so that reads there could "
            "miss what was written before; leave it out"
        )
    from dataflow.execution.replica import Replica

    replication = cast("ReplicatingDialect", dialect).replication
    connections = _pool(dialect, lambda: replication.connection(url), config)
    return Replica(READ_REPLICA, cast("LoopPools", connections), cast("LoopPools", pool), replication)


def _anonymous(url: DatabaseURL) -> DatabaseURL:
    return replace(url, username=None, password=None)
