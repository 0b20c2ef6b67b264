"""Many files: find them, run them on local workers, resume, sum up.

This module stays empty of imports: a worker process imports it before the numerical libraries may
be loaded (see `lesionscan.batch.pool`).
"""
