"""Who may import whom, read off the code; and that the light parts stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "whisper_tuner"
HEAVY = {"torch", "transformers", "peft", "bitsandbytes", "accelerate"}
MAY_USE_TORCH = {
    "model.load",
    "model.window",
    "model.features",
    "alignment.hearing",
    "alignment.stage",
}  # and all of training, evaluation
ROOMS = {  # room → our rooms it may import; steps, narrate and cli may use what the page may
    "errors": {"locales"},
    "config": {"errors"},
    "locales": set(),
    "audio": set(),
    "jail": set(),
    "decoder": {"audio", "errors", "jail"},
    "data": {"audio", "config", "decoder", "errors", "jail", "model.languages"},
    "runs": {"config", "errors"},
    "model": {"audio", "config", "errors"},
    "training": {"model", "data", "audio", "runs", "evaluation", "config", "errors"},
    "evaluation": {"model", "data", "audio", "decoder", "runs", "config", "errors"},
    "alignment": {"evaluation", "model", "data", "audio", "decoder", "runs", "config", "errors"},
    "publish": {"data", "runs", "config", "errors", "model.languages", "evaluation.normalize"}
    | {"__version__"},
}


def modules() -> list[tuple[str, ast.Module]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found.append((name.removesuffix(".__init__"), ast.parse(path.read_text())))
    return found


def imports(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_every_module_keeps_to_its_room(name, tree):
    room = name.split(".")[0]
    used = imports(tree)
    roots = {module.split(".")[0] for module in used}
    if room != "ui":
        assert "gradio" not in roots
    if name not in MAY_USE_TORCH and room not in ("training", "evaluation"):
        assert not HEAVY & roots
    if room not in ROOMS:
        return
    for module in used:
        if module.startswith("whisper_tuner."):
            ours = module.removeprefix("whisper_tuner.")
            allowed = ROOMS[room] | {room}
            assert any(ours == a or ours.startswith(f"{a}.") for a in allowed), module


@pytest.mark.parametrize(("name", "tree"), modules(), ids=[name for name, _ in modules()])
def test_no_import_hides_in_a_function(name, tree):
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            hidden = [n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{name}.{function.name}"


@pytest.mark.parametrize("module", ["ui.app", "cli", "worker", "steps"])
def test_light_modules_load_no_torch(module):
    script = f"import sys, whisper_tuner.{module}; print(sorted({HEAVY!r} & sys.modules.keys()))"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["ui.app", "cli", "steps"])
def test_what_decodes_other_peoples_files_is_loaded_in_the_child_only(module):
    script = f"import sys, whisper_tuner.{module}; print('av' in sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "False"
