"""Small text models from three seeds, with attention and without, on the Tang poems: how much of a difference is chance.

    python -m generators.lstm.study --data shared/data

They are judged on the quatrains, as the large ones are. Only the figures are kept.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from generators import learning, tokens
from generators.chance import quotient
from generators.corpus import corpus_of
from generators.lstm.model import AttentionModel
from generators.lstm.train import ASSETS, Plan, Recipe, logits_of, scorer_of, train_attention_model
from generators.scoring import QUATRAINS, quatrains
from generators.training import Clock, read_json, read_weights, say, write_card, write_weights

RUNS = learning.ROOT / "runs" / "lstm" / "seeds"
SEEDS = (0, 1, 2)
STEPS = 900
RATE = 4e-3  # for both sides better than 2e-3
SMALL = Recipe(vocabulary=3500, embedding_dim=96, lstm_units=160, dropout=0.1, rates=(RATE,), batch=640)
COMMAND = "python -m generators.lstm.study --data DIR"
SIDES = {"with": True, "without": False}


def study(data: Path, folder: Path = ASSETS / "poems_zh", *, steps: int = STEPS, recipe: Recipe = SMALL) -> None:
    """Train what is not there yet, judge all, and write the figures into the card in `folder`. data: holds `train` and `held_out`.

    Raises BadInput for a folder without them.
    """
    vocabulary, poems = tokens.load(folder), quatrains(data / "held_out")
    plan = Plan(recipe, corpus_of("tang", data / "train", None, vocabulary), vocabulary, RUNS, steps=steps)
    scorer, characters = scorer_of(folder.name), np.array([len(poem.text) for poem in poems])
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for seed in SEEDS:
        for side, attention in SIDES.items():
            model = small_model(replace(plan, seed=seed, attention=attention))
            bits = quotient(scorer.verse_bits(logits_of(model), poems), characters)
            found[side].append(bits(np.ones(len(poems), np.int64)))
            say(f"seed {seed}, {side}: {found[side][-1]:.4f} bits for a character")
    metrics = read_json(folder / "card.json").get("metrics", {})
    row = {**metrics.get(QUATRAINS, {}), **{f"{side}_seeds": each for side, each in found.items()}, "study": COMMAND}
    about = {"steps": steps, "rate": RATE, "seeds": SEEDS, "data": "Tang poems"}
    write_card(folder, seed_study=about, metrics={**metrics, QUATRAINS: row})


def small_model(plan: Plan) -> AttentionModel:
    """The trained model of a plan, from RUNS where it lies there."""
    path, model = RUNS / f"{plan.files[plan.attention]}-{plan.seed}.safetensors", plan.new_model()
    if not path.is_file():
        train_attention_model(plan, model, clock=Clock(steps=plan.steps), rate=RATE)
        write_weights(path, model.state_dict(), bits=plan.bits)
    model.load_state_dict(read_weights(path))
    return model.eval()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train and judge small text models from three seeds.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    study(parser.parse_args().data)
