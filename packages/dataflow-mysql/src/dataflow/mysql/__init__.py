"""MySQL and MariaDB for DataFlow."""
