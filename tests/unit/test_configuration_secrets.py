"""Secrets are references that show nothing."""

from __future__ import annotations

import json
import pickle
import sys
import types

import pytest
from pydantic import ValidationError

from atrader.configuration.base import Section
from atrader.configuration.loader import load_installation
from atrader.configuration.secrets import SecretRef
from atrader.errors import ConfigError

SECRET = "hunter2"


class Login(Section):
    """A section with a secret."""

    token: SecretRef


def test_an_environment_variable_is_read_when_asked(monkeypatch):
    reference = SecretRef("env:ATRADER_TEST_TOKEN")
    with pytest.raises(ConfigError, match="no variable ATRADER_TEST_TOKEN"):
        reference.resolve()
    monkeypatch.setenv("ATRADER_TEST_TOKEN", SECRET)
    assert reference.resolve() == SECRET
    monkeypatch.setenv("ATRADER_TEST_TOKEN", "")
    with pytest.raises(ConfigError, match="is empty"):
        reference.resolve()


def test_a_private_file_is_read_without_its_last_line_end(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    assert SecretRef(f"file:{path}").resolve() == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_may_use_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as caught:
        SecretRef(f"file:{path}").resolve()
    assert SECRET not in str(caught.value)


def test_a_missing_file_a_directory_and_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        SecretRef(f"file:{tmp_path}/none").resolve()
    with pytest.raises(ConfigError, match="cannot be read"):
        SecretRef(f"file:{tmp_path}").resolve()
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        SecretRef(f"file:{path}").resolve()


def test_a_keyring_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="'keyring' is not installed"):
        SecretRef("keyring:oanda/token").resolve()


def test_a_keyring_is_asked_for_service_and_name(monkeypatch):
    class KeyringError(Exception):
        pass

    stored = {("oanda", "demo/token"): SECRET}

    def get_password(service: str, name: str) -> str | None:
        if service == "locked":
            raise KeyringError(SECRET)
        return stored.get((service, name))

    keyring, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
    keyring.get_password = get_password  # type: ignore[attr-defined]
    errors.KeyringError = KeyringError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert SecretRef("keyring:oanda/demo/token").resolve() == SECRET
    with pytest.raises(ConfigError, match="has no other of oanda"):
        SecretRef("keyring:oanda/other").resolve()
    with pytest.raises(ConfigError, match="cannot be read: KeyringError") as caught:
        SecretRef("keyring:locked/token").resolve()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text", [SECRET, "", "env:", "file:relative/path", "file:", "keyring:service", "keyring:/name", "vault:x", ":x"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match="expected a reference to a secret") as caught:
        SecretRef(text)
    assert SECRET not in str(caught.value)


def test_nothing_that_prints_or_travels_shows_the_reference():
    login = Login.model_validate({"token": "env:VERY_PRIVATE"})
    for text in (str(login.token), repr(login.token), f"{login.token}", repr(login), str(login.model_dump_json())):
        assert "VERY_PRIVATE" not in text
        assert "***" in text
    assert json.loads(login.model_dump_json()) == {"token": "***"}


def test_a_reference_survives_pickling_for_the_child_process_and_compares():
    reference = SecretRef("env:VERY_PRIVATE")
    assert pickle.loads(pickle.dumps(reference)) == reference
    assert reference != SecretRef("env:OTHER")
    assert len({reference, SecretRef("env:VERY_PRIVATE")}) == 1


@pytest.mark.parametrize("value", [SECRET, 5, None])
def test_a_secret_in_the_configuration_itself_is_refused_as_such(value):
    with pytest.raises(ValidationError, match="never write the secret itself"):
        Login.model_validate({"token": value})


def test_a_secret_pasted_in_place_of_a_reference_is_not_repeated_by_the_configuration_check(tmp_path):
    (tmp_path / "etc").mkdir()
    for line, expected in (
        ("store_password = 'hunter2'", "data.store_password: expected a reference to a secret"),
        ("store = 'postgresql://me:hunter2@host/db'", "data.store: write no password into the address"),
        ("store = 'postgresql://me@host/db?password=hunter2'", "data.store: write no password into the address"),
        ("store = 'hunter2'", "data.store: expected 'embedded' or"),
    ):
        (tmp_path / "etc" / "atrader.toml").write_text(f"[data]\n{line}\n")
        with pytest.raises(ConfigError) as caught:
            load_installation(tmp_path)
        assert expected in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert "hunter2" not in str(caught.value.details)
