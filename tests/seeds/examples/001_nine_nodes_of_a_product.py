# /// seed
# document = "ADR-003: Workflow-Native Database Operations"
# section = "Decision"
# supplied = ["db"]
# ///
@db.model
class Product:
    name: str
    price: float

# Automatically creates 9 nodes:
# - ProductCreateNode, ProductReadNode, ProductUpdateNode, ProductDeleteNode, ProductListNode
# - ProductBulkCreateNode, ProductBulkUpdateNode, ProductBulkDeleteNode, ProductBulkUpsertNode
