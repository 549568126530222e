"""What selects rows: MongoDB's filter documents and the string conditions of single rows."""
