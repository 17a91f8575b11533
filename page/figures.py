"""The figures of all model cards (assets/GENERATOR/VARIANT/card.json) as a table, metrics by their names in words.

Figures are never typed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import generators
from generators.base import Card, Variant
from generators.metrics import mean_and_spread
from generators.trace import Words
from page import shelf
from page.wire import BY_LENGTH, verdict

NAMES: Mapping[str, Words] = {
    "bits_per_char": {"en": "Bits for a character", "zh": "每个字符的比特数"},
    "bits_per_char_tang_quatrains": {"en": "Bits for a character, Tang quatrains", "zh": "每个字符的比特数，唐绝句"},
    "well_formed": {"en": "Verses of the right form", "zh": "格律形式正确的诗"},
    "same_length": {"en": "Answers as long as the line", "zh": "与上联等长的下联"},
    "copied": {"en": "Characters copied from the line", "zh": "照抄上联的字"},
    "bleu": {"en": "BLEU: like human translations", "zh": "BLEU：与人工译文的相似度"},
    "bleu_long": {"en": "BLEU of long sentences", "zh": "长句的 BLEU"},
    "word_error": {"en": "Words said wrongly", "zh": "读错的词"},
    "phoneme_error": {"en": "Sounds said wrongly", "zh": "读错的音"},
    "frechet": {"en": "Fréchet distance to real pictures", "zh": "与真图的 Fréchet 距离"},
    "frechet_32": {"en": "The same of small models from three seeds, 32×32", "zh": "三个种子的小模型的 Fréchet 距离，32×32"},
    "kid": {"en": "Kernel distance to real pictures", "zh": "与真图的核距离"},
    "precision": {"en": "Made pictures that look real", "zh": "生成图中像真图的"},
    "recall": {"en": "Real pictures that it could make", "zh": "真图中它能生成的"},
    "variety": {"en": "Variety of its pictures", "zh": "图片的多样性"},
    "psnr": {"en": "Likeness after passing the code, dB", "zh": "经过编码后的相似度，dB"},
    "ssim": {"en": "Structure kept after passing the code", "zh": "经过编码后保留的结构"},
    "hole_psnr_25": {"en": "Likeness in a hole, a quarter hidden, dB", "zh": "遮住四分之一时洞内的相似度，dB"},
    "hole_psnr_50": {"en": "Likeness in a hole, half hidden, dB", "zh": "遮住一半时洞内的相似度，dB"},
    "bits_per_dim": {"en": "Bits for a number of the picture", "zh": "图片每个数值的比特数"},
    "reconstruction_bits": {"en": "Bits to correct what the code says", "zh": "修正编码所需的比特"},
    "kl_bits": {"en": "Bits in the code", "zh": "编码中的比特"},
    "nearest_train": {"en": "Distance to the nearest picture it learned from", "zh": "到最近训练图的距离"},
    "object": {"en": "All things right", "zh": "东西都对"},
    "place": {"en": "Things and their places right", "zh": "东西和位置都对"},
    "background": {"en": "Colour of the ground right", "zh": "底色正确"},
    "all": {"en": "All of it right", "zh": "全部正确"},
    "object_unseen": {"en": "All things right, pairs it never learned", "zh": "东西都对，从未学过的搭配"},
    "place_unseen": {"en": "Things and their places right, pairs it never learned", "zh": "东西和位置都对，从未学过的搭配"},
    "background_unseen": {"en": "Colour of the ground right, pairs it never learned", "zh": "底色正确，从未学过的搭配"},
    "all_unseen": {"en": "All of it right, pairs it never learned", "zh": "全部正确，从未学过的搭配"},
    "relation": {"en": "What stands where, said rightly", "zh": "位置关系说对"},
    "exact": {"en": "Sentences with nothing wrong", "zh": "完全正确的句子"},
    "bleu4": {"en": "BLEU-4: like the reference sentences", "zh": "BLEU-4：与参考句子的相似度"},
    "pointing": {"en": "Maps that point into their word’s thing", "zh": "最亮处落在所指之物里的图"},
    "iou": {"en": "Overlap of a map and its word’s thing", "zh": "图与所指之物的重合度"},
    "pointing_mean": {"en": "The same pointing, mean of all maps", "zh": "同上，所有图取平均"},
    "iou_mean": {"en": "The same overlap, mean of all maps", "zh": "同上的重合度，所有图取平均"},
    "copied_name_16": {"en": "A name asked for again after 16 words", "zh": "隔 16 个词后仍记得的名字"},
    "copied_name_64": {"en": "A name asked for again after 64 words", "zh": "隔 64 个词后仍记得的名字"},
    "copied_name_256": {"en": "A name asked for again after 256 words", "zh": "隔 256 个词后仍记得的名字"},
    "nearest_held_out": {"en": "The same distance of pictures it never saw", "zh": "从未见过的图到最近训练图的距离"},
}


def name_of(metric: str) -> Words:
    """A metric in words; one that is not known by its own name."""
    return NAMES.get(metric, {"en": metric, "zh": metric})


def table(language: str, words: Mapping[str, str]) -> str:
    """Markdown: with attention, without, what real pictures or guessing would get, and what that says; a row a metric.

    Empty if there are none. A model stands beside its first figure only. Those by length are drawn beside a run instead.
    """
    rows = [row for card in generators.cards() for variant in card.variants for row in _rows(card, variant, language, words)]
    columns = ("model", "figure", "with_attention_column", "without_attention_column", "floor", "verdict")
    head = [[words[each] for each in columns], ["---"] * len(columns)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [*head, *rows]) if rows else ""


def _rows(card: Card, variant: Variant, language: str, words: Mapping[str, str]) -> list[list[str]]:
    metrics = shelf.figures(card.name, variant.name).get("metrics", {})
    kept = {metric: each for metric, each in metrics.items() if isinstance(each, Mapping) and not BY_LENGTH.fullmatch(metric)}
    rows = [row for metric, each in kept.items() for row in _row(metric, each, language, words)]
    model = f"**{variant.title[language]}** {(card.network or card.title)[language]}"
    return [[model if not at else "", *row] for at, row in enumerate(rows)]


def _row(metric: str, given: Mapping[str, Any], language: str, words: Mapping[str, str]) -> list[list[str]]:
    """One row; where small models were trained from several seeds another one, which then says who is better."""
    unit = str(given.get("unit", ""))
    arrow = "↓" if given.get("better") == "lower" else "↑"
    name = name_of(metric)[language] if metric in NAMES else f"`{metric}` {unit}"
    says = {"better": words["helps"], "worse": words["does_not_help"], "undecided": words["undecided"], "": ""}[verdict(given)]
    shipped = [number(given.get(side), unit) for side in ("with", "without", "floor")]
    seeds = [given.get(f"{side}_seeds") or () for side in ("with", "without")]
    if not all(seeds):
        return [[f"{name} {arrow}", *shipped, says]]
    repeated = ["{:.3g} ± {:.1g}".format(*mean_and_spread(each)) for each in seeds]
    again = words["over_seeds"]
    return [[f"{name} {arrow}", *shipped, ""], [f"{again} {min(map(len, seeds))}", *repeated, "", says]]


def number(value: Any, unit: str) -> str:
    """As it is printed: three digits, a share as per cent; a dash where there is none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "–"
    return f"{100 * value:.3g} %" if unit.partition(" ")[0] == "share" else f"{value:.3g}"
