# /// seed
# document = "Core Concepts"
# section = "1. Define Models"
# supplied = ["db"]
# ///
@db.model
class Product:
    name: str
    price: float
    category: str
    stock: int
