# /// seed
# document = "Zero-Config Database Framework"
# section = "Why Workflow-Native?"
# illustrates = "another ORM, for comparison"
# ///
# Traditional ORM - doesn't scale well
user = User(name="John", email="john@example.com")
user.save()  # Individual database calls
# Issues: N+1 queries, no caching, no multi-tenancy
