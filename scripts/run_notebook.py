"""Run a notebook's cells and store their outputs: run_notebook.py docs/lesionscan.ipynb.

Jupyter is not needed: the cells are plain Python, and their printed text and figures become their
outputs. With --check the notebook is only checked for errors and not written.
"""

import argparse
import base64
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt


def main() -> None:
    """Run the notebook and write it back."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    notebook = json.loads(options.notebook.read_text("utf-8"))
    with contextlib.chdir(options.notebook.resolve().parent):
        run(notebook)
    if not options.check:
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        options.notebook.write_text(text, "utf-8")
        print(f"{options.notebook}: {len(notebook['cells'])} cells")


def run(notebook: dict[str, Any]) -> None:
    """Run the code cells in order, in one namespace, and replace their outputs.

    Parameters
    ----------
    notebook
        Jupyter's format, version 4.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        count += 1
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = compile("".join(cell["source"]), f"cell {count}", "exec")
            exec(code, names)  # noqa: S102 - a notebook of this repository
        cell["execution_count"] = count
        cell["outputs"] = [*_printed(said.getvalue()), *_figures()]


def _printed(text: str) -> list[dict[str, Any]]:
    lines = text.splitlines(keepends=True)
    return [{"output_type": "stream", "name": "stdout", "text": lines}] if lines else []


def _figures() -> list[dict[str, Any]]:
    outputs = []
    for number in plt.get_fignums():
        data = io.BytesIO()
        plt.figure(number).savefig(data, format="png", dpi=72, bbox_inches="tight")
        picture = base64.b64encode(data.getvalue()).decode("ascii")
        outputs.append(
            {
                "output_type": "display_data",
                "data": {"image/png": picture, "text/plain": ["<Figure>"]},
                "metadata": {},
            }
        )
    plt.close("all")
    return outputs


if __name__ == "__main__":
    main()
