# /// seed
# document = "Zero-Config Database Framework"
# section = "Password Special Characters"
# ///
# Old workaround (no longer needed)
password = "MySecret%23123%24"  # %23 = #, %24 = $
