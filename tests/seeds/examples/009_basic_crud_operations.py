# /// seed
# document = "Implementation Summary"
# section = "1. Basic CRUD Operations"
# supplied = ["the imports"]
# ///
db = DataFlow()

@db.model
class User:
    name: str
    email: str

# Automatically generates 9 nodes:
# UserCreateNode, UserReadNode, UserUpdateNode, UserDeleteNode, UserListNode
# UserBulkCreateNode, UserBulkUpdateNode, UserBulkDeleteNode, UserBulkUpsertNode
