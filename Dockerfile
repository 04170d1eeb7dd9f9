# The whole application: web server, workers and, unless REDIS_URL is set, a Redis of its own. See docs/operations.md.

FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends binutils ca-certificates python3-venv
WORKDIR /srv/dumbwaiter
RUN python3 -m venv .venv
COPY requirements.txt .
RUN .venv/bin/pip install --no-cache-dir --no-compile --only-binary :all: --requirement requirements.txt \
 && .venv/bin/pip uninstall --yes pip
# Symbols for debuggers, C sources, and the packages' own tests: a fifth of the environment.
RUN find .venv -type f -name '*.so*' -exec strip --strip-unneeded {} + \
 && find .venv -type f \( -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.pyx' -o -name '*.pyi' \) -delete \
 && find .venv -type d \( -name tests -o -name SelfTest \) -prune -exec rm -r {} +
COPY . .
# What a start imports is compiled now, because nothing can be written here later.
RUN DATA_DIR=/tmp/data .venv/bin/python -m webapp.commands.check \
 && DATA_DIR=/tmp/data .venv/bin/python -c 'from webapp import create_app; create_app()'

FROM debian:trixie-slim AS root
# A running application installs nothing, mounts nothing and becomes nobody else.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 \
 && dpkg --purge --force-depends --force-remove-essential \
    apt libapt-pkg7.0 sqv mount passwd util-linux openssl perl-base \
 && rm -rf /var/lib/apt /var/cache/* /usr/lib/*/gconv /usr/share/doc/* \
 && install --directory --owner=10001 --group=10001 --mode=700 /data
COPY --from=build /srv/dumbwaiter /srv/dumbwaiter

# Copied as a whole, so that no earlier layer keeps what was removed.
FROM scratch
COPY --from=root / /
WORKDIR /srv/dumbwaiter
# TMPDIR is beside the data: the root may be read-only, and large files do not fill the memory.
ENV PATH=/srv/dumbwaiter/.venv/bin:/usr/local/bin:/usr/bin:/bin \
    APP_ENV=production HOST=0.0.0.0 PORT=8000 \
    DATA_DIR=/data HOME=/data TMPDIR=/data \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD \
    python -c "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=9)"
CMD ["sh", "-c", "alembic upgrade head && exec python -m webapp"]
