# /// seed
# document = "Zero-Config Database Framework"
# section = "From SQLAlchemy ORM"
# supplied = ["the imports", "model User", "rows of User", "a run", "SQLAlchemy's part left out"]
# ///
# Before: SQLAlchemy
users = session.query(User).filter(
    User.age > 18,
    User.department.in_(['eng', 'sales'])
).order_by(User.created_at.desc()).limit(10).all()

# After: DataFlow
workflow = WorkflowBuilder()
workflow.add_node("UserListNode", "filtered_users", {
    "filter": {
        "age": {"$gt": 18},
        "department": {"$in": ["eng", "sales"]}
    },
    "order_by": ["-created_at"],
    "limit": 10
})
