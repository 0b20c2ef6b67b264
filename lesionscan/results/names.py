"""Names of results: relative POSIX paths that stay inside the output folder.

A name may come from a stranger's file (a result, a shard's account, a review, a DICOMDIR), and
files are written and removed under it.
"""

import os


def is_result_name(name: str) -> bool:
    """Say whether results may stand under a name.

    Parameters
    ----------
    name
        Path relative to an output folder, POSIX style, without the endings of the result files.

    Returns
    -------
    bool
        False where it is empty or absolute, has an empty, `.` or `..` part or a null character,
        or, on Windows, a backslash or a colon, which separate there too.
    """
    if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return False
    return os.sep == "/" or not {"\\", ":"} & set(name)
