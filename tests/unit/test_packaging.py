"""The distribution holds every package, and each folder says that it is ours."""

import configparser
import importlib
import importlib.metadata
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("atrader", "data_layer", "broker_api", "framework_bridge", "worker", "research", "manager")


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_every_folder_with_python_in_it_is_packaged(setup_cfg: configparser.ConfigParser) -> None:
    find = setup_cfg["options.packages.find"]
    packaged = set(find_namespace_packages(str(ROOT), find["exclude"].split(), find["include"].split("\n")))
    with_python = {
        str(path.parent.relative_to(ROOT)).replace("/", ".") for name in FOLDERS for path in (ROOT / name).rglob("*.py")
    }
    assert with_python <= packaged
    assert {package.partition(".")[0] for package in packaged} == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_carries_the_ownership_marker_and_type_information(folder: str) -> None:
    assert importlib.import_module(folder).__distribution__ == "atrader-platform"
    assert (ROOT / folder / "py.typed").is_file()


def test_the_version_that_results_carry_is_the_one_that_is_installed() -> None:
    assert importlib.metadata.version("atrader-platform") == importlib.import_module("atrader").__version__
