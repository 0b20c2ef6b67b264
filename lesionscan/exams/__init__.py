"""Group results by exam and patient, under pseudonyms that only the owner of the key can make.

Identities never leave this package, neither in files nor in messages.
"""
