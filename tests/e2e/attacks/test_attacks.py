"""No attack wins, in whatever executor, as whomever, under a newer kernel or an older one. Where one does win, it is
conceded: docs/security.md says so."""

import pytest

from . import image_catalogue, in_a_run


def grounds(conceded):
    for attack in image_catalogue.ATTACKS:
        for ground in attack.grounds:
            quick = image_catalogue.is_quick(attack, ground)
            marks = [] if quick and ground not in attack.rare else [pytest.mark.rare]
            if (ground in attack.conceded) is conceded:
                yield pytest.param(attack, ground.executor, ground, id=f"{attack.name}-{ground}", marks=marks)


@pytest.mark.parametrize("attack, executor, ground", grounds(conceded=False))
def test_it_gets_nothing(bed, programs, attack, executor, ground, kernel):
    fought = in_a_run.fight(bed, attack, programs, ground)
    if attack.newer_kernel and kernel == "older":
        assert attack.won(fought), fought  # conceded there
        return
    assert not attack.won(fought), fought
    assert not fought.loot(), fought
    assert not (ground.kaniko and in_a_run.lies(fought)), fought


@pytest.mark.parametrize("attack, executor, ground", grounds(conceded=True))
def test_what_cannot_be_stopped(bed, programs, attack, executor, ground):
    fought = in_a_run.fight(bed, attack, programs, ground)
    assert attack.won(fought), fought
