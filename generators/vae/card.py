"""What the page knows of the VAE before it is loaded: its card, its sliders and where each of them leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generators.base import Card, Pin, Setting, Try, Variant
from generators.trace import Words
from generators.vae.goals import Goal

AXES = 16
REACH = 2.0  # of a slider, both ways


def _slider(name: str, label: Words, help: Words) -> Setting:
    return Setting(name, "float", 0.0, label=label, help=help, low=-REACH, high=REACH, step=0.1, live=True)


def _choice(name: str, label: Words, help: Words, choices: Mapping[str, Words]) -> Setting:
    return Setting(name, "choice", KEPT, label=label, help=help, choices={KEPT: {"en": "as it is", "zh": "不变"}, **choices}, live=True)


KEPT = "as_it_is"

OTHER = Setting(
    "other",
    "word",
    "",
    label={"en": "Other face", "zh": "另一张脸"},
    help={"en": "A second name or number. Left empty: the next seed.", "zh": "第二个名字或数字。留空则用下一个种子。"},
)
BETWEEN = Setting(
    "between",
    "float",
    0.0,
    label={"en": "Between", "zh": "之间"},
    help={"en": "Slides from this face (0) to the other one (1).", "zh": "从这张脸（0）滑向另一张脸（1）。"},
    low=0.0,
    high=1.0,
    step=0.02,
    live=True,
)
TRUNCATION = Setting(
    "truncation",
    "float",
    0.8,
    label={"en": "Truncation", "zh": "截断"},
    help={
        "en": "Scales the noise within each kind of face: below 1 cleaner, above 1 stranger.",
        "zh": "缩放每一类脸内部的噪声：小于 1 更干净，大于 1 更离奇。",
    },
    low=0.0,
    high=1.5,
    step=0.05,
)
GROUNDS: dict[str, Words] = {
    "white": {"en": "white", "zh": "白"},
    "gray": {"en": "grey", "zh": "灰"},
    "pink": {"en": "pink", "zh": "粉"},
    "yellow": {"en": "yellow", "zh": "黄"},
    "green": {"en": "green", "zh": "绿"},
    "blue": {"en": "blue", "zh": "蓝"},
}
DYES: dict[str, tuple[str, Words]] = {
    "brown": ("#71472d", {"en": "brown", "zh": "棕"}),
    "orange": ("#d56c0c", {"en": "orange", "zh": "橙"}),
    "yellow": ("#e9b729", {"en": "yellow", "zh": "黄"}),
    "teal": ("#238d80", {"en": "teal", "zh": "青"}),
    "blue": ("#605de4", {"en": "blue", "zh": "蓝"}),
}
WORN: dict[str, Words] = {
    "none": {"en": "nothing", "zh": "什么都不戴"},
    "faceMask": {"en": "a face mask", "zh": "口罩"},
    "sleepMask": {"en": "a sleep mask", "zh": "眼罩"},
    "sunglasses": {"en": "sunglasses", "zh": "墨镜"},
    "mustache": {"en": "a moustache", "zh": "胡子"},
    "sailormoonCrown": {"en": "a tiara", "zh": "头饰"},
    "catEars": {"en": "cat ears", "zh": "猫耳朵"},
}
LOOKS: dict[str, Words] = {
    "starstruck": {"en": "starry", "zh": "星星眼"},
    "sleepy": {"en": "sleepy", "zh": "困"},
}
CHOICES: dict[str, dict[str, Goal]] = {
    "ground": {name: Goal("background_name", name) for name in GROUNDS},
    "dye": {name: Goal("hairColor", value) for name, (value, _) in DYES.items()},
    "wears": {name: Goal("accessories", name) for name in WORN},
    "eyes": {name: Goal("eyes", name) for name in LOOKS},
}
"""Setting → its choice → the value of a part that the face then has."""
SLIDERS: dict[str, tuple[Goal, Goal]] = {
    "skin": (Goal("skinColor", "#643d19"), Goal("skinColor", "#ffe4c0")),
    "hair_tone": (Goal("hairColor", "#220f00"), Goal("hairColor", "#e2ba87")),
    "hair_length": (Goal("hair", "shavedHead"), Goal("hair", "straightHair")),
    "mood": (Goal("mouth", "openSad"), Goal("mouth", "teethSmile")),
}
"""Setting → the values of a part to which it leads at −REACH, and at REACH."""
GOALS = (
    *(goal for choices in CHOICES.values() for goal in choices.values()),
    *(goal for ends in SLIDERS.values() for goal in ends),
)


def goals_of(settings: Mapping[str, Any]) -> Iterator[tuple[Goal, float]]:
    """Where settings lead, each goal with the share of the way: choices first, all of it at once."""
    for name, choices in CHOICES.items():
        if settings[name] in choices:
            yield choices[settings[name]], 1.0
    for name, (below, above) in SLIDERS.items():
        value = float(settings[name])
        if value:
            yield below if value < 0 else above, abs(value) / REACH


CARD = Card(
    name="vae",
    title={"en": "Move a face", "zh": "推一张脸"},
    summary={
        "en": "A variational autoencoder keeps a face in 48 numbers and draws it with self-attention. Sliders move the numbers.",
        "zh": "变分自编码器用 48 个数字记住一张脸，再用自注意力画出来。滑块移动这些数字。",
    },
    accepts=("text", "seed", "picture"),
    produces="picture",
    variants=(
        Variant(
            name="big_smile",
            title={"en": "Sliders", "zh": "滑块"},
            icon="🎚️",
            placeholder={"en": "Type your name, then move your face", "zh": "输入名字，再推动你的脸"},
            pin=Pin("self", 0, head=2, query=17),  # of the ground: over 60 faces this head puts 99 % of its weight on the face
            size=64,
            axes=AXES,
            tries=(
                Try(
                    question={"en": "What if Hugo smiled?", "zh": "如果 Hugo 笑起来呢？"},
                    look_for={
                        "en": "Only the mouth changes; hair, skin and ground stay. Drag “Mood”, then any other slider, then your own name.",
                        "zh": "只有嘴变了，头发、肤色和背景不变。拖动“心情”，再试别的滑块，再输入你的名字。",
                    },
                    request={"prompt": "Hugo", "settings": {"mood": 2.0}},
                ),
                Try(
                    question={"en": "Who is halfway between Ada and Alan?", "zh": "Ada 和 Alan 的正中间是谁？"},
                    look_for={
                        "en": "Hair and ground have colours between both, which no drawn face has. Drag “Between” from one to the other.",
                        "zh": "头发和背景的颜色介于两者之间，画出来的脸里没有这样的颜色。拖动“之间”，从一张脸滑到另一张。",
                    },
                    request={"prompt": "Ada", "settings": {"other": "Alan", "between": 0.5}},
                ),
                Try(
                    question={"en": "Who looks at whom?", "zh": "谁在看谁？"},
                    look_for={
                        "en": "Head 3 looks across: from the pinned corner at the face, and from the face mostly at the ground.",
                        "zh": "第 3 个头看向对面：固定的背景一角看脸，脸上的格子大多看背景。",
                    },
                    request={"prompt": "Lily"},
                ),
                Try(
                    question={"en": "What if no cell may look?", "zh": "如果哪个格子都不许看呢？"},
                    look_for={
                        "en": "The weighted sum is off: the drawing stays, hair and ground fade to grey. Attention carries the colours.",
                        "zh": "加权和被关掉：线条还在，但头发和背景褪成灰色。颜色是由注意力带来的。",
                    },
                    request={"prompt": "Lily", "edits": [{"action": "off"}]},
                ),
            ),
        ),
    ),
    settings=(
        _slider(
            "skin",
            {"en": "Skin", "zh": "肤色"},
            {"en": "Darker to the left, lighter to the right.", "zh": "向左更深，向右更浅。"},
        ),
        _slider(
            "hair_tone",
            {"en": "Hair tone", "zh": "发色深浅"},
            {"en": "Black to the left, fair to the right.", "zh": "向左变黑，向右变浅。"},
        ),
        _slider(
            "hair_length",
            {"en": "Hair length", "zh": "头发长短"},
            {"en": "Shaved to the left, long to the right.", "zh": "向左剃短，向右变长。"},
        ),
        _slider(
            "mood",
            {"en": "Mood", "zh": "心情"},
            {"en": "The mouth: sad to the left, a broad smile to the right.", "zh": "嘴：向左难过，向右咧嘴笑。"},
        ),
        _choice("ground", {"en": "Ground", "zh": "背景"}, {"en": "The colour behind the face.", "zh": "脸后面的颜色。"}, GROUNDS),
        _choice(
            "dye",
            {"en": "Dye", "zh": "染发"},
            {"en": "Another colour of the hair.", "zh": "换一种发色。"},
            {name: words for name, (_, words) in DYES.items()},
        ),
        _choice("wears", {"en": "Wears", "zh": "戴着"}, {"en": "What is on the face.", "zh": "脸上戴的东西。"}, WORN),
        _choice("eyes", {"en": "Eyes", "zh": "眼睛"}, {"en": "How the eyes look.", "zh": "眼睛的样子。"}, LOOKS),
        OTHER,
        BETWEEN,
        TRUNCATION,
    ),
    anatomy=(
        ({"en": "Noise", "zh": "噪声"}, False),
        ({"en": "Code of 48 numbers", "zh": "48 个数字的编码"}, False),
        ({"en": "Residual blocks, 4×4 to 16×16", "zh": "残差块，4×4 到 16×16"}, False),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "Residual block, 16×16 to 64×64", "zh": "残差块，16×16 到 64×64"}, False),
        ({"en": "Picture", "zh": "图片"}, False),
    ),
    network={"en": "VAE", "zh": "VAE"},
    gallery=True,
    headline=("precision", "recall"),
)
