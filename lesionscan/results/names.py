"""Names of results: relative POSIX paths inside the output folder.

Names may come from untrusted files (a result, a shard file, a review, a DICOMDIR), and files are
written and removed under them.
"""

import os


def is_result_name(name: str) -> bool:
    """Return whether a name is valid for results.

    Parameters
    ----------
    name
        Path relative to an output folder, POSIX style, without the endings of the result files.

    Returns
    -------
    bool
        False if it is empty or absolute, has an empty, `.` or `..` part or a null character, or on
        Windows a backslash or a colon, which are separators there.
    """
    if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return False
    return os.sep == "/" or not {"\\", ":"} & set(name)
