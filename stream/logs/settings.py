"""Where Kafka is and how to log in: options first, then the environment, then crossfade.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.errors import CrossfadeError

DEFAULT_SERVERS = "localhost:9092"
DEFAULT_CONFIG = Path("crossfade.toml")
_PREFIX = "CROSSFADE_KAFKA_"
_SERVERS = "CROSSFADE_BOOTSTRAP_SERVERS"
# Passed through to kafka-python as they are; everything else is crossfade's own business.
SECURITY_OPTIONS = frozenset(
    {
        "security_protocol",
        "ssl_check_hostname",
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
        "ssl_crlfile",
        "ssl_ciphers",
        "sasl_mechanism",
        "sasl_plain_username",
        "sasl_plain_password",
        "sasl_kerberos_name",
        "sasl_kerberos_service_name",
        "sasl_kerberos_domain_name",
    }
)
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_FILES = frozenset({"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile"})


@dataclass(frozen=True)
class KafkaSettings:
    """`bootstrap_servers`: host:port, several with commas. `options`: see SECURITY_OPTIONS (not shown)."""

    bootstrap_servers: str = DEFAULT_SERVERS
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load_settings(
    bootstrap_servers: str | None, config: Path | None, environ: Mapping[str, str]
) -> KafkaSettings:
    """`config` None means ./crossfade.toml where there is one.

    Raises CrossfadeError: a named config is missing, or one cannot be read, or an option is unknown.
    """
    from_file = _read_config(config or DEFAULT_CONFIG, required=config is not None)
    from_environ = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(_PREFIX)
    }
    servers = bootstrap_servers or environ.get(_SERVERS) or from_file.pop("bootstrap_servers", None)
    from_file.pop("bootstrap_servers", None)
    if servers is not None and not isinstance(servers, str):
        raise CrossfadeError(
            f"bootstrap_servers in {config or DEFAULT_CONFIG} must be a string such as {DEFAULT_SERVERS!r}."
        )
    options = {**from_file, **from_environ}
    for name in options:
        if name not in SECURITY_OPTIONS:
            where = (
                f"the environment ({_PREFIX}{name.upper()})"
                if name in from_environ
                else str(config or DEFAULT_CONFIG)
            )
            raise CrossfadeError(
                f"the Kafka option {name!r} in {where} is unknown; "
                f"known are {', '.join(sorted(SECURITY_OPTIONS))}."
            )
    if isinstance(options.get("ssl_check_hostname"), str):
        options["ssl_check_hostname"] = options["ssl_check_hostname"].lower() not in ("0", "false", "no")
    if options.get("security_protocol", "PLAINTEXT") not in _PROTOCOLS:
        # kafka-python would take it for PLAINTEXT.
        raise CrossfadeError(
            f"the Kafka option security_protocol must be one of {', '.join(_PROTOCOLS)}, "
            f"not {options['security_protocol']!r}."
        )
    for name in sorted(_FILES & options.keys()):
        # Otherwise kafka-python would say that no broker answers.
        if not Path(options[name]).is_file():
            raise CrossfadeError(f"the Kafka option {name} names {options[name]}, which is no file.")
    return KafkaSettings(servers or DEFAULT_SERVERS, options)


def _read_config(path: Path, required: bool) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise CrossfadeError(f"there is no config file {path}.") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CrossfadeError(f"the config file {path} cannot be read: {error}.") from None
    kafka = data.get("kafka", {})
    if not isinstance(kafka, dict):
        raise CrossfadeError(f"[kafka] in {path} must be a table.")
    return dict(kafka)
