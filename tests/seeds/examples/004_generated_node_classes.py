# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Node Generation Pattern"
# illustrates = "the inside of another implementation"
# ///
def _generate_crud_nodes(self, cls: Type, model_meta: ModelMeta):
    # Extend AsyncSQLDatabaseNode for each operation
    create_node = type(f"{cls.__name__}CreateNode", (AsyncSQLDatabaseNode,), {
        '__init__': lambda self, **config: AsyncSQLDatabaseNode.__init__(
            self,
            connection_string=self._get_connection_string(),
            query_template=f"INSERT INTO {table} ... RETURNING *",
            **config
        )
    })
