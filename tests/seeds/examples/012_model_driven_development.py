# /// seed
# document = "Core Concepts"
# section = "1. Model-Driven Development"
# supplied = ["the imports"]
# ///
from kailash_dataflow import DataFlow
from datetime import datetime
from typing import Optional

db = DataFlow()

@db.model
class User:
    name: str
    email: str
    age: int
    active: bool = True
    created_at: datetime
    profile: Optional[str] = None
