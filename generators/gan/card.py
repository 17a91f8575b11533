"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from generators.base import Card, Pin, Setting, Try, Variant
from generators.trace import Words

TRUNCATION = Setting(
    "truncation",
    "float",
    1.0,
    label={"en": "Truncation", "zh": "截断"},
    help={
        "en": "Scales noise and parts: below 1 faces come nearer to the average one, above 1 they become stranger.",
        "zh": "缩放噪声和部件：小于 1 时脸更接近平均，大于 1 时更离奇。",
    },
    low=0.1,
    high=1.5,
    step=0.05,
    live=True,
)

CARD = Card(
    name="gan",
    title={"en": "Paint a face", "zh": "画一张脸"},
    summary={
        "en": "A self-attention GAN turns a name into a face. Every cell of the picture looks at all the others while it is painted.",
        "zh": "自注意力生成对抗网络把名字变成一张脸。作画时，每个格子都会看其他所有格子。",
    },
    accepts=("text", "seed"),
    produces="picture",
    variants=(
        Variant(
            name="big_smile",
            title={"en": "Face", "zh": "脸"},
            icon="🙂",
            placeholder={"en": "Type your name, get your face", "zh": "输入名字，得到你的脸"},
            size=64,
            pin=Pin("self", 0, head=3, query=121),  # an eye: over 120 faces this head puts 69 % of its weight on the hair
            tries=(
                Try(
                    question={"en": "What is your face?", "zh": "你的脸是什么样？"},
                    look_for={
                        "en": "The same name is always the same face: its hash is the seed, whose dice say what to paint. Now type yours.",
                        "zh": "同一个名字总是同一张脸：名字的哈希就是种子，种子的骰子还决定要画哪些部件。再输入你的名字。",
                    },
                    request={"prompt": "Ada"},
                ),
                Try(
                    question={"en": "Where does an eye look?", "zh": "眼睛的格子在看哪里？"},
                    look_for={
                        "en": "From the pinned eye, head 4 looks up at the hair, and head 1 at the eye itself and the mouth.",
                        "zh": "从固定的眼睛出发，第 4 个头看上方的头发，第 1 个头看眼睛本身和嘴。",
                    },
                    request={"prompt": "Lily"},
                ),
                Try(
                    question={"en": "What if no cell may look?", "zh": "如果哪个格子都不许看呢？"},
                    look_for={
                        "en": "The weighted sum is switched off: the face stays, but its outlines fray and the ground gets stains.",
                        "zh": "加权和被关掉：脸还在，但轮廓散开，背景出现污点。",
                    },
                    request={"prompt": "Nora", "edits": [{"action": "off"}]},
                ),
            ),
        ),
    ),
    settings=(TRUNCATION,),
    anatomy=(
        ({"en": "Noise", "zh": "噪声"}, False),
        ({"en": "Residual blocks, 4×4 to 16×16", "zh": "残差块，4×4 到 16×16"}, False),
        ({"en": "Self-attention", "zh": "自注意力"}, True),
        ({"en": "Residual blocks, 16×16 to 64×64", "zh": "残差块，16×16 到 64×64"}, False),
        ({"en": "Picture", "zh": "图片"}, False),
    ),
    twin=True,
    network={"en": "GAN", "zh": "GAN"},
    paper={
        "en": "In the paper: Fréchet distance 18.65 with attention, 22.96 without, 1.23×, on ImageNet (Zhang et al. 2019, table 1).",
        "zh": "论文中：ImageNet 上 Fréchet 距离带注意力 18.65，不带 22.96，1.23 倍（Zhang 等，2019，表 1）。",
    },
    gallery=True,
    headline=("frechet", "recall"),
)

EXAMPLES = {
    "ada": "Ada",
    "hugo": "Hugo",
    "ivan": "Ivan",
    "lily": "Lily",
    "mei": "Mei",
    "sara": "Sara",
    "wangfang": "王芳",
    "yara": "Yara",
}
"""File → name whose face is stored with the model."""

NAMES: Mapping[str, Words] = {
    "bangs": {"en": "a fringe", "zh": "刘海"},
    "bowlCutHair": {"en": "a bowl cut", "zh": "锅盖头"},
    "braids": {"en": "braids", "zh": "辫子"},
    "bunHair": {"en": "a bun", "zh": "发髻"},
    "curlyBob": {"en": "a curly bob", "zh": "卷发波波头"},
    "curlyShortHair": {"en": "short curls", "zh": "短卷发"},
    "froBun": {"en": "an afro bun", "zh": "爆炸头发髻"},
    "halfShavedHead": {"en": "a half-shaved head", "zh": "半边剃光"},
    "mohawk": {"en": "a mohawk", "zh": "莫西干头"},
    "shavedHead": {"en": "a shaved head", "zh": "光头"},
    "shortHair": {"en": "short hair", "zh": "短发"},
    "straightHair": {"en": "straight hair", "zh": "直发"},
    "wavyBob": {"en": "a wavy bob", "zh": "波浪波波头"},
    "catEars": {"en": "cat ears", "zh": "猫耳"},
    "clownNose": {"en": "a clown's nose", "zh": "小丑鼻子"},
    "faceMask": {"en": "a face mask", "zh": "口罩"},
    "glasses": {"en": "glasses", "zh": "眼镜"},
    "mustache": {"en": "a moustache", "zh": "小胡子"},
    "sailormoonCrown": {"en": "a crown", "zh": "头冠"},
    "sleepMask": {"en": "a sleep mask", "zh": "眼罩"},
    "sunglasses": {"en": "sunglasses", "zh": "墨镜"},
}
"""Hair and things worn, as the data call them → in words."""
