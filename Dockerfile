# One image for web and worker.
#   docker build .                                     runs on any CPU
#   docker build --build-arg DEVICE=cuda .             for a worker with an NVIDIA GPU
# The registry's torch for Linux carries CUDA libraries. To leave them out of a CPU image, name
# PyTorch's own CPU package index: --build-arg TORCH_INDEX=<its address>.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/likewise
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE NOTICE ./
RUN if [ -n "$TORCH_INDEX" ]; then \
        /opt/venv/bin/pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' constraints.txt)"; \
    fi
COPY app ./app
RUN /opt/venv/bin/pip install -c constraints.txt -e .
# The map's kernels take 20 s to compile. A worker begins with these: see keep_compiled().
RUN NUMBA_CACHE_DIR=/opt/compiled /opt/venv/bin/python -c "import pacmap"

FROM ${PYTHON_IMAGE}
ARG DEVICE=cpu
RUN groupadd --gid 10001 likewise \
    && useradd --uid 10001 --gid likewise --home-dir /data --shell /usr/sbin/nologin likewise \
    && mkdir /data && chown likewise:likewise /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/compiled /opt/compiled
WORKDIR /srv/likewise
COPY --from=build /srv/likewise /srv/likewise
COPY alembic.ini ./
COPY migrations ./migrations
COPY templates ./templates
COPY static ./static
# /tmp is a tmpfs, so memory: an upload on its way in, and a downloaded model, belong on the volume.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    TMPDIR=/data \
    HF_HOME=/data/models \
    NUMBA_CACHE_DIR=/opt/compiled \
    LIKEWISE_DATA_DIR=/data \
    LIKEWISE_DEVICE=${DEVICE}
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]
CMD ["likewise", "serve", "--host", "0.0.0.0", "--port", "8000", "--no-worker"]
