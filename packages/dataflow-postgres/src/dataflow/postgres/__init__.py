"""PostgreSQL for DataFlow: values that come back as they went in, and COPY for many rows."""
