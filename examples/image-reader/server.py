"""Finds text in a picture and reads it, line by line."""

import logging
import os

THREADS = int(os.environ.get("MODEL_THREADS", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))  # before the libraries look

from fields import NotAllowed, array, bounding_box, category, image, number, text  # noqa: E402
from model_server import Model  # noqa: E402

model = Model(
    options=[
        category(
            "direction",
            one_of=["upright", "any"],
            description="“any” also reads lines that stand on their head, and takes longer.",
        )
    ]
)


@model.setup
def load(options):
    import cv2
    from rapidocr_onnxruntime import RapidOCR

    logging.disable(logging.WARNING)  # "no text in this picture" is an answer, not a warning
    cv2.setNumThreads(THREADS)
    engine = RapidOCR(intra_op_num_threads=THREADS, inter_op_num_threads=1)
    return engine, options["direction"] == "any"


@model.command(
    "read",
    description="Finds the text in a picture.",
    inputs=[
        image("image", description="A photograph or a scan: PNG, JPEG or WebP."),
        number(
            "min_confidence",
            min=0,
            max=1,
            step=0.05,
            default=0.5,
            description="Leave out lines the model is less sure of than this.",
        ),
    ],
    outputs=[
        text("text", description="All lines, top to bottom."),
        array("lines", item=text("line")),
        array("boxes", item=bounding_box("box"), description="Where each line is, from 0 to 1."),
        array("confidences", item=number("confidence", min=0, max=1)),
    ],
)
def read(state, inputs):
    engine, turned = state
    picture = decoded(inputs["image"])
    found, _ = engine(
        picture,
        use_cls=turned,
        text_score=inputs["min_confidence"],
        return_word_box=True,  # and with it where each character is
    )
    found = found or []
    height, width = picture.shape[:2]
    lines = [line_of(picture, *each) for each in found]
    return {
        "text": "\n".join(lines),
        "lines": lines,
        "boxes": [around(each[0], width=width, height=height) for each in found],
        "confidences": [round(float(each[2]), 4) for each in found],
    }


def line_of(picture, corners, line, confidence, letter_boxes=(), letters=(), *_):
    """One line with its spaces; as it was read where the characters don't add up to it."""
    from spacing import spaced

    if not letters or "".join(letters) != line.replace(" ", ""):
        return line
    return spaced(picture, corners, letters, letter_boxes)


def decoded(data):
    """The pixels, or a refusal that says what can be read."""
    import cv2
    import numpy

    picture = None
    if data:
        picture = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise NotAllowed("image: send a PNG, JPEG or WebP picture")
    return picture


def around(corners, *, width, height):
    """The upright box around four corners, as shares of the picture."""
    across = [float(x) / width for x, _ in corners]
    down = [float(y) / height for _, y in corners]
    box = (min(across), min(down), max(across), max(down))
    return [round(min(max(share, 0.0), 1.0), 4) for share in box]


if __name__ == "__main__":
    model.run()
