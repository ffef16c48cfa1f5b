"""Tests of the tests: without the protection that stops it, an attack wins."""

import os
import re

import pytest

from bed import world

from . import image_catalogue, in_a_run


def guards(only_overlapped=False):
    for attack in image_catalogue.ATTACKS:
        for guard in attack.guards:
            ground = guard.ground or attack.grounds[0]
            marks = [] if guard.quick else [pytest.mark.rare]
            if guard.overlapping or not only_overlapped:
                yield pytest.param(attack, guard, ground, id=f"{attack.name}-{ground}-{guard.protection}", marks=marks)


@pytest.fixture
def kernel():
    return "this"


@pytest.mark.parametrize("attack, guard, ground", guards())
def test_without_it_the_attack_wins(bed, programs, mutant, attack, guard, ground):
    fought = in_a_run.fight(bed, attack, programs, ground, binary=mutant, off=[guard.protection, *guard.overlapping])
    assert (guard.won or attack.won)(fought), fought


@pytest.mark.parametrize("attack, guard, ground", guards(only_overlapped=True))
def test_it_alone_is_enough(bed, programs, mutant, attack, guard, ground):
    """With only the overlapping ones off, the one in question still stops the attack."""
    fought = in_a_run.fight(bed, attack, programs, ground, binary=mutant, off=guard.overlapping)
    assert not (guard.won or attack.won)(fought), fought


def test_every_protection_has_an_attack():
    with open(os.path.join(world.ROOT, "src", "core", "protection.h")) as file:
        names = set(re.findall(r'X\([A-Z_0-9]+, "([a-z0-9-]+)"\)', file.read()))
    guarded = {guard.protection for attack in image_catalogue.ATTACKS for guard in attack.guards}
    assert names and names == guarded
