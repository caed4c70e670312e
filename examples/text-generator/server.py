"""Writes on from a prompt with a small language model of our own."""

from pathlib import Path

from fields import boolean, category, number, text
from language_model import LanguageModel
from model_server import Model

MODELS = Path(__file__).parent / "models"

model = Model(
    options=[
        category(
            "checkpoint",
            one_of=["tales", "recipes"],
            description="What the model has read: tales from a wood, or a cookery book.",
        )
    ]
)


@model.setup
def load(options):
    return LanguageModel.load(MODELS / f"{options['checkpoint']}.bin")


@model.command(
    "generate_batch",
    description="Writes on from a prompt",
    inputs=[
        text("prompt", max_length=20_000),
        number(
            "max_characters",
            min=8,
            max=1024,
            step=1,
            default=64,
            description="How many characters to write at most.",
        ),
        number(
            "top_p",
            min=0.1,
            max=1,
            step=0.1,
            default=0.9,
            description="How bold to be: each next character is drawn from the likeliest that "
            "make up this share.",
        ),
        number(
            "seed",
            min=0,
            max=1000,
            step=1,
            default=0,
            description="The same seed writes the same text again.",
        ),
    ],
    outputs=[text("generated_text"), boolean("encountered_end")],
)
def generate_batch(language_model, inputs):
    written, ended = language_model.generate(
        inputs["prompt"],
        characters=int(inputs["max_characters"]),
        top_p=inputs["top_p"],
        seed=int(inputs["seed"]),
    )
    return {"generated_text": written, "encountered_end": ended}


if __name__ == "__main__":
    model.run()
