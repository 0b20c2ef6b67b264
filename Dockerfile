# lesionscan for batch use: docs/docker.md
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /wheels/
RUN python -m pip install --no-cache-dir --constraint /wheels/constraints.txt \
        "$(echo /wheels/lesionscan-*.whl)[dask,parquet,dicom]" \
    && rm -r /wheels \
    && useradd --create-home --uid 10001 lesionscan
# matplotlib keeps its font list there; everything else may be read-only
ENV MPLCONFIGDIR=/tmp/matplotlib
USER 10001
WORKDIR /home/lesionscan
ENTRYPOINT ["lesionscan"]
CMD ["--help"]
