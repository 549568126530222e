# /// seed
# document = "Zero-Config Database Framework"
# section = "Basic CRUD Nodes"
# supplied = ["model User", "rows of User", "workflow", "a run"]
# ///
# Create a single record
workflow.add_node("UserCreateNode", "create", {
    "name": "John",
    "age": 25,
    "department": "engineering"
})

# Read a single record
workflow.add_node("UserReadNode", "read", {
    "conditions": {"id": 123}
})

# Update a record
workflow.add_node("UserUpdateNode", "update", {
    "conditions": {"id": 123},
    "updates": {"age": 26}
})

# Delete a record
workflow.add_node("UserDeleteNode", "delete", {
    "conditions": {"id": 123}
})
