"""Where Kafka is: options before the environment before the config file."""

from pathlib import Path

import pytest

from shared.errors import CrossfadeError
from stream.logs.settings import KafkaSettings, load_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "crossfade.toml"
    path.write_text('[kafka]\nbootstrap_servers = "file:1"\nsasl_mechanism = "PLAIN"\nssl_password = "p"\n')
    return path


def test_options_come_before_the_environment_before_the_file(config: Path) -> None:
    environ = {"CROSSFADE_BOOTSTRAP_SERVERS": "environ:1", "CROSSFADE_KAFKA_SASL_MECHANISM": "GSSAPI"}
    assert load_settings("option:1", config, environ).bootstrap_servers == "option:1"
    assert load_settings(None, config, environ).bootstrap_servers == "environ:1"
    assert load_settings(None, config, {}).bootstrap_servers == "file:1"
    assert load_settings(None, config, environ).options == {"sasl_mechanism": "GSSAPI", "ssl_password": "p"}


def test_without_anything_it_is_the_local_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, None, {}) == KafkaSettings("localhost:9092")


def test_the_config_file_of_the_folder_is_found(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config.parent)
    assert load_settings(None, None, {}).bootstrap_servers == "file:1"


def test_passwords_are_not_shown(config: Path) -> None:
    assert "ssl_password" not in repr(load_settings(None, config, {}))


def test_a_boolean_of_the_environment_is_a_boolean(config: Path) -> None:
    environ = {"CROSSFADE_KAFKA_SSL_CHECK_HOSTNAME": "false"}
    assert load_settings(None, config, environ).options["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("", {"CROSSFADE_KAFKA_FLAVOUR": "x"}, r"'flavour' in the environment .* is unknown"),
        ("[kafka]\nflavour = 1", {}, r"'flavour' in .*crossfade\.toml is unknown"),
        ("[kafka]\nbootstrap_servers = 1", {}, "must be a string"),
        ("kafka = 1", {}, "must be a table"),
        ("[kafka", {}, r"crossfade\.toml cannot be read"),
        ("", {"CROSSFADE_KAFKA_SECURITY_PROTOCOL": "TLS"}, "must be one of PLAINTEXT, SSL,"),
        ("", {"CROSSFADE_KAFKA_SSL_CAFILE": "/none.pem"}, r"names /none\.pem, which is no file"),
    ],
)
def test_what_is_wrong_is_named(config: Path, text: str, environ: dict[str, str], message: str) -> None:
    config.write_text(text)
    with pytest.raises(CrossfadeError, match=message):
        load_settings(None, config, environ)


def test_a_named_config_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CrossfadeError, match="no config file"):
        load_settings(None, tmp_path / "none.toml", {})
