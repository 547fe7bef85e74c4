"""What a room and a replay are composed of alike."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any, Final, cast, get_args
from urllib.parse import quote

import msgspec

from device import fusion, policy
from device.brain import Brain, Settle
from device.config import Config, Fusion, Listeners, Music, Policy, state_folder, with_changes
from device.context import context_of
from device.inference.manifest import ModelSpec
from device.listeners import Listeners as Known
from device.listeners import with_moments
from device.mutes import Mutes
from device.ports import Player
from device.reactions import Reactions
from device.signals import EMOTIONS, GENERAL, ROOM, Aim, Control, Decision, Emotion, Moment, Queue

log = logging.getLogger(__name__)

DEMO_DWELL_S: Final = 3.0
DEMO_COOLDOWN_S: Final = 6.0
"""Quick changes of music: the demo's evening has a new mood every ten seconds or so."""


def demo_settings(config: Config) -> Config:
    """The same settings with the quick changes of music that the two-minute demo needs."""
    quick = msgspec.structs.replace(
        config.policy, dwell_s=DEMO_DWELL_S, cooldown_s=DEMO_COOLDOWN_S, quiet_from="00:00", quiet_until="00:00"
    )
    return msgspec.structs.replace(
        config,
        policy=quick,
        camera=msgspec.structs.replace(config.camera, consent=True),  # recordings, which sense nobody
        microphone=msgspec.structs.replace(config.microphone, consent=True),
    )


def with_kept(config: Config, kept: Mapping[str, str]) -> Config:
    """The settings under those that people changed while Attune ran (the store's); unknown ones change nothing."""
    config = with_changes(config, kept)
    changes: dict[str, Any] = {key: kept[key] for key in ("strategy",) if key in kept}
    changes["strategies"] = _strategies(config.policy.strategies, kept)
    changes |= {"volume_pct": int(kept["volume"])} if kept.get("volume", "").isdigit() else {}
    policy_settings = msgspec.convert({**msgspec.to_builtins(config.policy), **changes}, Policy)
    sense = {"sense": kept["sense"]} if "sense" in kept else {}
    fusion_settings = msgspec.convert({**msgspec.to_builtins(config.fusion), **sense}, Fusion)
    learns = kept.get("learn_from_everyone", "on" if config.listeners.learn_from_everyone else "off")
    return msgspec.structs.replace(
        config, policy=policy_settings, fusion=fusion_settings, listeners=Listeners(learns == "on")
    )


def _strategies(known: Mapping[Emotion, Aim], kept: Mapping[str, str]) -> dict[Emotion, Aim]:
    """Those of single emotions; one that people set back to the general one has none, whatever the file says."""
    changed = {emotion: kept.get(f"strategy.{emotion}", "") for emotion in EMOTIONS}
    own = {emotion: cast(Aim, aim) for emotion, aim in changed.items() if aim in get_args(Aim)}
    left = {emotion: aim for emotion, aim in known.items() if changed[emotion] != GENERAL}
    return {**left, **own}


def make_brain(
    config: Config,
    listeners: Known | None = None,
    last: Decision | None = None,
    mutes: Mutes | None = None,
    settle: Settle = lambda key, text: None,
) -> Brain:
    """A brain that has sensed nothing yet, with the rules of the settings.

    `last` is what was decided before a restart: music that goes on after it is not changed for the same end.
    """
    decided = last.target if last else None
    return Brain(
        fusion.Fusion(_fusion_rules(config.fusion)),
        policy.Policy(_policy_rules(config.policy, config.music), decided=decided),
        listeners,
        _before_restart(last, listeners.present if listeners else ROOM) if last else None,
        mutes=mutes,
        settle=settle,
        here_s=config.listeners.here_s,
    )


def rules_of(config: Config) -> tuple[policy.Rules, fusion.Rules]:
    """The rules of the brain in the settings."""
    return _policy_rules(config.policy, config.music), _fusion_rules(config.fusion)


def _before_restart(last: Decision, present: str) -> Reactions:
    """So that what goes on playing can be liked; what else was known of its circumstances has passed."""
    context = replace(context_of(last), who=present, local=None)
    return Reactions(queue=Queue(last.at, (), last.reason, context=context))


def known_listeners(
    config: Config, kept: Mapping[str, str], moments: Iterable[Moment], models: Mapping[str, ModelSpec]
) -> Known:
    """Who listens, and what they labelled; moments of other models than those we have are told of and left out."""
    current = {model.sha256 for model in models.values()}
    told = list(moments)
    usable = [moment for moment in told if moment.embedding.model in current]
    if len(usable) < len(told):
        log.warning(
            "calibration: %d of %d labelled moments were made with another model and do not count; label new ones",
            len(told) - len(usable),
            len(told),
        )
    known = replace(with_moments(usable), present=kept.get("listener", ROOM))
    return known.learning(config.listeners.learn_from_everyone)


def music_folder(config: Config) -> Path:
    """Where the tracks are: the owner's folder, or the pieces that Attune composed itself."""
    return Path(config.music.folder).expanduser() if config.music.folder else state_folder(config) / "demo-music"


def database_url(config: Config) -> str:
    """Where everything is kept."""
    return config.store.url or f"sqlite:///{quote(str(state_folder(config) / 'attune.db'))}"


def obey(player: Player, control: Control) -> None:
    """Have the player do what the brain says; raises PlayerError when it cannot."""
    orders: dict[str, Callable[[], None]] = {
        "play": lambda: player.play(control.value),
        "pause": player.pause,
        "resume": player.resume,
        "next": player.next,
        "volume": lambda: player.set_volume(control.value),
        "save": lambda: player.save(control.value),
    }
    orders[control.action]()


def _fusion_rules(settings: Fusion) -> fusion.Rules:
    half_life_s = {
        "face": settings.face_half_life_s,
        "voice": settings.voice_half_life_s,
        "text": settings.text_half_life_s,
        "body": settings.body_half_life_s,
    }
    return fusion.Rules(
        half_life_s,  # type: ignore[arg-type]
        settings.sense,
        settings.hold_s,
        settings.least_confidence,
        settings.least_margin,
    )


def _policy_rules(settings: Policy, music: Music) -> policy.Rules:
    rules = policy.Rules(
        settings.strategy,
        settings.dwell_s,
        settings.cooldown_s,
        time.fromisoformat(settings.quiet_from),
        time.fromisoformat(settings.quiet_until),
        quietest_pct=music.quietest_pct,
        loudest_pct=music.loudest_pct,
        strategies=settings.strategies,
    )
    return rules.at_volume(settings.volume_pct)
