"""
A real Llama Stack server on 127.0.0.1, whose model is a server of OpenAI's chat completions that is given.

    with ScriptedModel() as model, LlamaStack(model.url, folder) as server:
        LlamaStackClient(base_url=server.url).responses.create(model=server.model, input="…")

It runs in an environment of its own (half a gigabyte, made once by `lib/devkit/environment.sh`), with SQLite stores in
`folder`. Only what Parley uses is configured: https://llama-stack.readthedocs.io.
"""

import argparse
import os
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from devkit.embedding import MODELS
from devkit.model import NAME, ScriptedModel
from standalone.host import free_ports

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
VENV = ROOT / ".build" / "llama-stack"


class LlamaStack:
    """A server and its folder."""

    model = f"model/{NAME}"

    def __init__(self, model_url: str, folder: Path, *, port: int = 0, patience: float = 120) -> None:
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "llama-stack.log"
        self._folder = folder
        self._model_url = model_url
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        subprocess.run(["sh", HERE / "environment.sh", HERE / "llama.txt", VENV], check=True)  # noqa: S603, S607
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "llama-stack.yaml"
        config.write_text(yaml.safe_dump(self._config()), encoding="utf-8")
        cached = next(VENV.glob("lib/python3*/site-packages/llama_index/core/_static/tiktoken_cache"))
        env = {
            **os.environ,
            "TIKTOKEN_CACHE_DIR": str(cached),
            "HOME": str(self._folder),
            "LLAMA_STACK_LOGGING": "all=warning",
        }
        command = [str(VENV / "bin" / "llama"), "stack", "run", str(config), "--port", str(self.port)]
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=self._folder)  # noqa: S603
        until = time.monotonic() + self._patience
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"Llama Stack did not start:\n{self.log.read_text(encoding='utf-8')[-3000:]}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def wait(self) -> None:
        """Wait for its end."""
        if self._process:
            self._process.wait()

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/v1/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _config(self) -> dict[str, Any]:
        sql = {"type": "sql_sqlite", "db_path": str(self._folder / "sql.db")}
        kv = {"type": "kv_sqlite", "db_path": str(self._folder / "kv.db")}
        return {
            "version": 2,
            "distro_name": "parley",
            "apis": ["inference", "vector_io", "files", "file_processors", "responses", "safety", "tool_runtime"],
            "providers": {
                "inference": [
                    _provider("model", "remote::openai", base_url=self._model_url, api_key="none"),
                ],
                "vector_io": [
                    _provider("faiss", "inline::sqlite-vec", db_path=str(self._folder / "vec.db"),
                              persistence={"namespace": "vector_io", "backend": "kv_default"}),
                ],
                "files": [
                    _provider("files", "inline::localfs", storage_dir=str(self._folder / "files"),
                              metadata_store={"table_name": "files_metadata", "backend": "sql_default"}),
                ],
                "file_processors": [_provider("pypdf", "inline::pypdf")],
                "safety": [_provider("llama-guard", "inline::llama-guard", excluded_categories=[])],
                "responses": [
                    _provider("builtin", "inline::builtin", persistence={
                        "agent_state": {"namespace": "agents", "backend": "kv_default"},
                        "responses": {"table_name": "responses", "backend": "sql_default"},
                    }),
                ],
                "tool_runtime": [_provider("file-search", "inline::file-search")],
            },
            "storage": {
                "backends": {"kv_default": kv, "sql_default": sql},
                "stores": {
                    "metadata": {"namespace": "registry", "backend": "kv_default"},
                    "inference": {"table_name": "inference", "backend": "sql_default"},
                    "conversations": {"table_name": "conversations", "backend": "sql_default"},
                    "prompts": {"namespace": "prompts", "backend": "kv_default"},
                    "connectors": {"namespace": "connectors", "backend": "kv_default"},
                },
            },
            "registered_resources": {
                "models": [
                    {"model_id": self.model, "provider_id": "model", "provider_model_id": NAME, "model_type": "llm"},
                    *({"model_id": f"model/{name}", "provider_id": "model", "provider_model_id": name,
                       "model_type": "embedding", "metadata": {"embedding_dimension": dimension}}
                      for name, dimension in MODELS.items()),
                ],
                "shields": [
                    {"shield_id": "guard", "provider_id": "llama-guard", "provider_shield_id": self.model}
                ],
            },
            "server": {"host": "127.0.0.1", "port": self.port},
            "telemetry": {"enabled": False},
        }  # fmt: skip


def main() -> None:
    """Run the command line: one server for development, until it is ended."""
    parser = argparse.ArgumentParser(prog="llama", description="A real Llama Stack server for development.")
    parser.add_argument("--model", help="a server of OpenAI's API (http://host:8000/v1); without one, a scripted model")
    parser.add_argument("--port", type=int, default=8321)
    options = parser.parse_args()
    with ExitStack() as stack:
        url = options.model or stack.enter_context(ScriptedModel()).url
        folder = ROOT / ".build" / "llama-stack-data"
        server = stack.enter_context(LlamaStack(url, folder, port=options.port))
        print(f"Llama Stack listens on {server.url}; its model: {url}\n"
              f"LLAMA_STACK_URL={server.url} LLAMA_STACK_MODEL={server.model} make run", flush=True)  # fmt: skip
        with suppress(KeyboardInterrupt):
            server.wait()


def _provider(name: str, kind: str, **config: Any) -> dict[str, Any]:
    return {"provider_id": name, "provider_type": kind, "config": config}


if __name__ == "__main__":
    main()
