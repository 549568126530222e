"""The commands of ``dataflow``, each in a module of its own."""
