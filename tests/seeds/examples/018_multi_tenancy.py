# /// seed
# document = "Core Concepts"
# section = "8. Multi-Tenancy"
# supplied = ["the imports"]
# needs = ["dataflow-tenancy"]
# ///
db = DataFlow(multi_tenant=True)

@db.model
class Customer:
    name: str
    email: str
    # tenant_id added automatically

    __dataflow__ = {
        'multi_tenant': True,
        'tenant_isolation': 'strict'
    }
