"""evidence 47: a new release of a dependency breaks nobody, because each has an upper bound that was tested."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(text) for texts in (PROJECT["dependencies"], *OPTIONAL.values()) for text in texts]
INSTALLED = [Requirement(text) for text in [*PROJECT["dependencies"], *OPTIONAL["dev"]]]


def bounds(requirement: Requirement) -> set[str]:
    return {specifier.operator for specifier in requirement.specifier}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_evidence_47_every_dependency_has_an_upper_bound(requirement: Requirement) -> None:
    assert bounds(requirement) == {">=", "<"}


@pytest.mark.parametrize("requirement", INSTALLED, ids=lambda requirement: requirement.name)
def test_evidence_47_what_is_tested_is_within_the_bounds(requirement: Requirement) -> None:
    assert version(requirement.name) in requirement.specifier


def test_a_missing_bound_is_seen() -> None:
    assert bounds(Requirement("starlette>=1.0")) != {">=", "<"}
