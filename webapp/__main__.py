"""`python -m webapp`: run the whole application in the foreground."""

import json
import os
import sys

try:
    import config
    from webapp.server.serve import Options
    from webapp.server.settings import load_to_serve
except ModuleNotFoundError as missing:
    sys.exit(f"{sys.executable} has no package {missing.name}. Use make run, or .venv/bin/python -m webapp.")


def main() -> None:
    """Read the settings, then replace this process with the launcher.

    The launcher lives as long as the application, and pydantic would take 12 MB of it. It is therefore a new program
    that receives the settings as an argument and keeps this process id.
    """
    try:
        options = options_of(load_to_serve())
    except config.ConfigError as error:
        sys.exit(f"Dumbwaiter cannot start: {error}")
    os.execv(sys.executable, [sys.executable, "-m", "webapp.server.serve", json.dumps(options._asdict())])  # noqa: S606  # ours


def options_of(settings: config.Settings) -> Options:
    return Options(
        production=settings.production,
        host=settings.host,
        port=settings.port,
        url_prefix=settings.url_prefix,
        data_dir=str(settings.data_dir),
        embeds_redis=settings.embeds_redis,
        redis_folder=str(settings.redis_folder),
        redis_socket=str(settings.redis_socket),
        workers=settings.workers,
        web_concurrency=settings.web_concurrency,
        log_level=settings.log_level,
        tasks=[str(folder) for folder in settings.tasks],
    )


if __name__ == "__main__":
    main()
