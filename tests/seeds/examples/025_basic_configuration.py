# /// seed
# document = "Core Concepts"
# section = "Basic Configuration"
# supplied = ["the imports"]
# ///
# Zero configuration
db = DataFlow()
