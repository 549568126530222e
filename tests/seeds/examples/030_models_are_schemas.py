# /// seed
# document = "Zero-Config Database Framework"
# section = "Model Instantiation Not Supported"
# supplied = ["model User", "workflow", "a run"]
# ///
# ❌ This won't work (by design)
user = User(name="John")  # Models are not instantiable

# ✅ This is the correct pattern
workflow.add_node("UserCreateNode", "create", {
    "name": "John",
    "email": "john@example.com"
})
