"""What is known of the painter before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generators.base import Card, Pin, Setting, Try, Variant
from generators.trace import Words

STYLE_NAMES: Mapping[str, Words] = {
    "noto": {"en": "Noto", "zh": "Noto"},
    "fluent_3d": {"en": "Fluent 3D", "zh": "Fluent 立体"},
    "fluent_flat": {"en": "Fluent flat", "zh": "Fluent 平面"},
    "twemoji": {"en": "Twemoji", "zh": "Twemoji"},
}

STYLE = Setting(
    "style",
    "choice",
    "noto",
    label={"en": "Style", "zh": "画风"},
    help={
        "en": "In whose hand the things are drawn; it is the first word that the painter reads.",
        "zh": "用哪一家的笔法来画；它是模型读到的第一个词。",
    },
    choices=STYLE_NAMES,
)
STEPS = Setting(
    "steps",
    "int",
    20,
    label={"en": "Steps", "zh": "步数"},
    help={
        "en": "From noise to picture in so many steps: few are quick and coarse.",
        "zh": "从噪声到图片走这么多步：步数少就快而粗糙。",
    },
    low=4,
    high=50,
)
GUIDANCE = Setting(
    "guidance",
    "float",
    2.0,
    label={"en": "Guidance", "zh": "引导"},
    help={
        "en": "How far it goes from what it would paint without the words towards them: 0 ignores them, 1 follows them, more exaggerates.",
        "zh": "从“没有词时会画的”朝着词走多远：0 不理会词，1 照着词，更大则夸张。",
    },
    low=0.0,
    high=8.0,
    step=0.5,
)

CARD = Card(
    name="diffusion",
    title={"en": "Paint what I say", "zh": "画我所说"},
    summary={
        "en": "Noise becomes a picture, step by step. At every step each cell of the picture looks at the words of your prompt.",
        "zh": "噪声一步一步变成图片。每一步里，图片的每个格子都会看你写的词。",
    },
    accepts=("text",),
    produces="picture",
    variants=(
        Variant(
            name="scenes",
            title={"en": "Scene", "zh": "场景"},
            icon="🎨",
            placeholder={"en": "a fox to the left of a red apple on a blue background", "zh": "蓝色背景上，狐狸在红苹果的左边"},
            size=32,
            pin=Pin("cross", 3),
            tries=(
                Try(
                    question={"en": "Which cells look at “fox”?", "zh": "哪些格子在看“狐狸”？"},
                    look_for={
                        "en": "Step by step the cells that will be the fox turn to its word, and those on the right to the apple.",
                        "zh": "一步一步，将成为狐狸的格子转向这个词，右边的格子转向苹果。",
                    },
                    request={"prompt": "a fox to the left of a red apple on a blue background", "seed": 1},
                ),
                Try(
                    question={"en": "One word changed, same seed?", "zh": "种子不变，只换一个词？"},
                    look_for={
                        "en": "The noise is the same, so the owl takes the place of the fox, and little else changes.",
                        "zh": "噪声相同，所以猫头鹰出现在狐狸的位置上，别处变化很小。",
                    },
                    request={"prompt": "an owl to the left of a red apple on a blue background", "seed": 1},
                ),
                Try(
                    question={"en": "What if no cell may look at the words?", "zh": "如果所有格子都不许看词呢？"},
                    look_for={
                        "en": "The weighted sums over the words are switched off: something is painted, but not what was said.",
                        "zh": "对词的加权和被关掉：仍会画出东西，但不是你说的。",
                    },
                    request={
                        "prompt": "a fox to the left of a red apple on a blue background",
                        "seed": 1,
                        "edits": [{"action": "off", "map": "cross"}],
                    },
                ),
                Try(
                    question={"en": "Does it read Chinese?", "zh": "换成中文呢？"},
                    look_for={
                        "en": "A robot above a taxi. The words stand in another order, and the maps find them all the same.",
                        "zh": "机器人在出租车上面。词的顺序不同，热图照样找得到。",
                    },
                    request={"prompt": "粉色背景上，机器人在出租车的上面", "seed": 2},
                ),
            ),
        ),
    ),
    settings=(STYLE, STEPS, GUIDANCE),
    anatomy=(
        ({"en": "Noise", "zh": "噪声"}, False),
        ({"en": "Convolutions", "zh": "卷积"}, False),
        ({"en": "Attention to the words", "zh": "注意词语"}, True),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "Convolutions", "zh": "卷积"}, False),
        ({"en": "Picture", "zh": "图片"}, False),
    ),
    twin=True,
    network={"en": "Diffusion", "zh": "扩散"},
    headline=("all", "pointing"),
)

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "fox-and-apple": {"text": "a fox to the left of a red apple on a blue background", "seed": 1},
    "owl-and-apple": {"text": "an owl to the left of a red apple on a blue background", "seed": 1},
    "robot-over-taxi": {"text": "粉色背景上，机器人在出租车的上面", "seed": 2},
    "panda": {"text": "a panda on a green background", "seed": 15, "settings": {"style": "fluent_3d"}},
    "rocket-over-moon": {"text": "a rocket above a moon on a gray background", "seed": 4, "settings": {"style": "fluent_flat"}},
    "cat-in-chinese": {"text": "黄色背景上有一只猫", "seed": 5, "settings": {"style": "twemoji"}},
    "penguin-and-snowman": {"text": "a penguin to the right of a snowman on a blue background", "seed": 6},
    "cake-under-balloon": {"text": "a cake below a balloon on a pink background", "seed": 7, "settings": {"style": "fluent_3d"}},
    "sunflower-and-bee": {"text": "蓝色背景上，蜜蜂在向日葵的右边", "seed": 8, "settings": {"style": "fluent_flat"}},
    "strawberry": {"text": "a strawberry on a white background", "seed": 9, "settings": {"style": "twemoji"}},
    "house-and-pine": {"text": "a house to the left of a pine tree on a green background", "seed": 10},
    "guitar-over-drum": {"text": "a guitar above a drum on a yellow background", "seed": 11, "settings": {"style": "fluent_3d"}},
    "watermelon-and-lemon": {"text": "绿色背景上，西瓜在柠檬的左边", "seed": 12, "settings": {"style": "noto"}},
    "unknown-word": {"text": "a bird on a blue background", "seed": 13},
}
"""File → run that is stored with the model; the first is the one that is seen learning."""
