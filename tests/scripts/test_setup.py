"""scripts/demo sets up its environment once, with a suitable Python, or says what is missing.

A shell script replaces Python: it logs how it was called, and creates what pip and venv create.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHELL = shutil.which("sh")
TOOLS = ("sh", "dirname", "basename", "cat", "cksum", "tail", "mkdir", "cp", "chmod", "rm")
FAKE = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
    *version_info*) exit "${OLD:-0}" ;;
    *ensurepip*) exit "${BARE:-0}" ;;
    "-m venv"*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip install"*)
        [ -z "${OFFLINE:-}" ] || { echo "no network"; exit 1; }
        bin=$(dirname "$0")
        printf '#!/bin/sh\\nprintf "[%%s]" "$@"\\nexit 7\\n' >"$bin/lesionscan"
        chmod +x "$bin/lesionscan" ;;
esac
"""

pytestmark = pytest.mark.skipif(SHELL is None, reason="there is no POSIX shell")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the scripts in a folder with a space, next to a PATH folder of few tools."""
    root = tmp_path / "a copy"
    (root / "scripts").mkdir(parents=True)
    for name in ("demo", "docs", "test", "setup.sh"):
        shutil.copy2(ROOT / "scripts" / name, root / "scripts" / name)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, root / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in TOOLS:
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    return root


def fake_python(copy: Path, name: str) -> None:
    """Add a fake Python of this name to the PATH."""
    fake = copy.parent / "bin" / name
    fake.write_text(FAKE)
    fake.chmod(0o755)


def demo(copy: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the copy of scripts/demo from another folder."""
    return run(copy, "demo", *arguments, **variables)


def run(
    copy: Path, script: str, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a copied script from another folder."""
    return subprocess.run(
        [copy / "scripts" / script, *arguments],
        env={"PATH": str(copy.parent / "bin"), "LOG": str(copy.parent / "log"), **variables},
        cwd=os.sep,
        capture_output=True,
        text=True,
        check=False,
    )


def installations(copy: Path) -> int:
    """Return the number of times that pip has installed."""
    return (copy.parent / "log").read_text().count("-m pip install")


def test_the_environment_is_made_once(copy: Path) -> None:
    """The second run installs nothing; arguments and exit status are passed on in both."""
    fake_python(copy, "python3.12")
    for _ in range(2):
        done = demo(copy, "--jobs", "1 2")
        assert done.stdout == f"[demo][--out][{copy}/lesionscan-demo][--jobs][1 2]"
        assert done.returncode == 7
    assert installations(copy) == 1


def test_the_tests_install_every_extra_but_the_large_one(copy: Path) -> None:
    """scripts/test installs all extras except PyTorch, which has hundreds of megabytes."""
    fake_python(copy, "python3")
    done = run(copy, "test", "-k", "nothing")
    assert done.returncode == 0, done.stderr
    (install,) = [
        line for line in (copy.parent / "log").read_text().splitlines() if "-m pip install" in line
    ]
    assert install.endswith(f"--editable {copy}[dask,parquet,dicom]")


def test_the_documentation_is_built_with_warnings_as_errors(copy: Path) -> None:
    """scripts/docs installs no extra, and passes its arguments to MkDocs."""
    fake_python(copy, "python3")
    done = run(copy, "docs", "--site-dir", "elsewhere")
    assert done.returncode == 0, done.stderr
    *_, install, build = (copy.parent / "log").read_text().splitlines()
    assert install.endswith(f"--editable {copy}")
    assert build == "-m mkdocs build --strict --quiet --site-dir elsewhere"


def test_a_change_of_what_is_needed_installs_again(copy: Path) -> None:
    """A changed constraints.txt, or a moved repository, triggers a new installation."""
    fake_python(copy, "python3")
    demo(copy)
    with (copy / "constraints.txt").open("a") as file:
        file.write("x==1\n")
    demo(copy)
    assert installations(copy) == 2
    moved = copy.rename(copy.parent / "moved")
    assert f"[{moved}/lesionscan-demo]" in demo(moved).stdout
    assert installations(moved) == 3


def test_an_installation_that_failed_is_done_again(copy: Path) -> None:
    """A failed installation shows pip's last lines, and the next run repeats it."""
    fake_python(copy, "python3")
    done = demo(copy, OFFLINE="1")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[-2] == "no network"
    assert lines[-1].startswith("demo: installing failed")
    assert demo(copy).returncode == 7
    assert installations(copy) == 2


def test_no_python_is_one_line(copy: Path) -> None:
    """Without Python, one line says what is needed."""
    done = demo(copy)
    assert done.returncode == 1
    assert done.stderr.startswith("demo: no Python 3.11 or newer found (tried: python3.14 ")
    assert done.stderr.count("\n") == 1


def test_an_old_python_is_not_taken(copy: Path) -> None:
    """A Python older than 3.11 is rejected, also if the user has chosen it."""
    fake_python(copy, "python3")
    done = demo(copy, OLD="1", PYTHON="python3")
    assert done.returncode == 1
    assert done.stderr.startswith("demo: no Python 3.11 or newer found (tried: python3)")


def test_a_python_without_venv_is_one_line(copy: Path) -> None:
    """A Python without ensurepip, which some systems package separately, gives the remedy."""
    fake_python(copy, "python3")
    done = demo(copy, BARE="1")
    assert done.returncode == 1
    assert done.stderr.startswith("demo: python3 lacks venv or ensurepip")
    assert "python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_named_python_is_taken(copy: Path) -> None:
    """$PYTHON is preferred to any other Python, also if its path has a space."""
    broken = copy.parent / "bin" / "python3.13"
    broken.write_text("#!/bin/sh\nexit 0\n")  # passes every check, but creates nothing
    broken.chmod(0o755)
    fake_python(copy, "my python")
    assert demo(copy, PYTHON=str(copy.parent / "bin" / "my python")).returncode == 7
