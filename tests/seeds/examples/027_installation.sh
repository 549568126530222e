# /// seed
# document = "Zero-Config Database Framework"
# section = "Installation"
# illustrates = "commands; the packages here have other names"
# ///
# Install DataFlow directly
pip install kailash-dataflow

# Or as part of Kailash SDK
pip install kailash[dataflow]
