"""Results grouped into exams and patients, under pseudonyms that only the owner of a key can make.

No identity leaves this room: neither in a file nor in a message.
"""
