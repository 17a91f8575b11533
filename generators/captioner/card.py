"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from generators.base import Card, Pin, Setting, Try, Variant

CARD = Card(
    name="captioner",
    title={"en": "Say what you see", "zh": "看图说话"},
    summary={
        "en": "A network reads a picture, another says what is in it. At every word it says, attention looks over the picture again.",
        "zh": "一个网络看图，另一个说出图里有什么；每说一个词，注意力都重新看一遍图片。",
    },
    accepts=("picture",),
    produces="text",
    variants=(
        Variant(
            name="scenes",
            title={"en": "Describe", "zh": "看图"},
            icon="👀",
            placeholder={"en": "Drop a picture, or let the Lab take one of its own", "zh": "拖入一张图片，或用本实验室自己画的"},
            pin=Pin("cross", 0, head=0, query=0),
            tries=(
                Try(
                    question={"en": "Where does it look for each thing?", "zh": "说到每样东西时，它看哪里？"},
                    look_for={
                        "en": "Each thing's map lies on that thing, though nobody ever told it where things are.",
                        "zh": "说到一样东西时，图就落在那样东西上，尽管从来没有人告诉它东西在哪里。",
                    },
                    request={"seed": 0},
                ),
                Try(
                    question={"en": "What if it begins at the other end?", "zh": "从另一头说起会怎样？"},
                    look_for={
                        "en": "The words change places, and so do the maps: the first look goes to the right or lower thing.",
                        "zh": "词的次序换了，图也跟着换：第一眼看的是右边或下面的东西。",
                    },
                    request={"seed": 0, "settings": {"begin": "far"}},
                ),
                Try(
                    question={"en": "What does it say when it may not look?", "zh": "不许看的时候，它说什么？"},
                    look_for={
                        "en": "A whole sentence of things that are not there. All that it knows of the picture comes through these maps.",
                        "zh": "一句完整的话，说的却不是图里的东西。它对图片的全部了解都来自这些图。",
                    },
                    request={"seed": 0, "edits": [{"action": "off"}]},
                ),
                Try(
                    question={"en": "Does it look the same way in Chinese?", "zh": "说中文时，看法一样吗？"},
                    look_for={
                        "en": "Chinese names the ground first, so that is where the first maps lie. The things' maps are much the same.",
                        "zh": "中文先说背景，所以最初的图落在背景上；说到东西时，图与英文差不多。",
                    },
                    request={"seed": 1, "settings": {"language": "zh"}},
                ),
            ),
            size=64,
        ),
    ),
    settings=(
        Setting(
            name="language",
            kind="choice",
            default="en",
            label={"en": "Language", "zh": "语言"},
            help={"en": "In which it describes the picture.", "zh": "用哪种语言描述图片。"},
            choices={"en": {"en": "English", "zh": "英文"}, "zh": {"en": "Chinese", "zh": "中文"}},
        ),
        Setting(
            name="begin",
            kind="choice",
            default="near",
            label={"en": "Begin with", "zh": "先说"},
            help={"en": "Which of two things is named first.", "zh": "两样东西中先说哪一样。"},
            choices={
                "near": {"en": "the left or upper thing", "zh": "左边或上面的"},
                "far": {"en": "the right or lower thing", "zh": "右边或下面的"},
            },
        ),
        Setting(
            name="beams",
            kind="int",
            default=1,
            low=1,
            high=8,
            label={"en": "Beams", "zh": "束宽"},
            help={
                "en": "So many hypotheses are followed at a time (beam search). 1: always the most likely word.",
                "zh": "同时保留这么多个假设（束搜索）；1：总取最可能的词。",
            },
        ),
    ),
    anatomy=(
        ({"en": "Picture", "zh": "图片"}, False),
        ({"en": "Convolutions", "zh": "卷积"}, False),
        ({"en": "Attention", "zh": "注意力"}, True),
        ({"en": "Gate β", "zh": "门 β"}, False),
        ({"en": "LSTM writes", "zh": "LSTM 写"}, False),
        ({"en": "Dense", "zh": "全连接层"}, False),
    ),
    network={"en": "Show, attend and tell", "zh": "Show, Attend and Tell"},
    headline=("exact", "pointing"),
)
