"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from generators.base import Card, Pin, Setting, Try, Variant

LEFT = [row * 8 + column for row in range(8) for column in range(4)]  # cells

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
                        "en": "“a fox” gives 53 % to the fox, 12 % of the picture; “a red apple” 59 % to the apple. Nobody told it where "
                        "things are. And the gate: 0.93 open for “a fox”, 0.54 for “background”.",
                        "zh": "“a fox”把 53% 给了只占画面 12% 的狐狸，“a red apple”把 59% 给了苹果，而从来没有人告诉它东西在哪里。"
                        "再看门 β：说“a fox”时开 0.93，说“background”时只开 0.54。",
                    },
                    request={"seed": 0},
                ),
                Try(
                    question={"en": "What is left when it looks everywhere alike?", "zh": "处处看得一样多，还剩什么？"},
                    look_for={
                        "en": "“a red apple to the left of a fox”: it still knows what is there, but no more which is where.",
                        "zh": "“a red apple to the left of a fox”：它还知道有什么，却不再知道哪个在哪里。",
                    },
                    request={"seed": 0, "edits": [{"action": "uniform"}]},
                ),
                Try(
                    question={"en": "What if it may not look at the left half?", "zh": "不许看左半边会怎样？"},
                    look_for={
                        "en": "The fox is gone: “a red apple to the left of a red apple”. With what it may see it finishes the sentence.",
                        "zh": "狐狸没了：“a red apple to the left of a red apple”。它用看得见的东西把句子说完。",
                    },
                    request={"seed": 0, "edits": [{"action": "hide", "keys": LEFT}]},
                ),
                Try(
                    question={"en": "What does it say when it may not look at all?", "zh": "完全不许看，它会说什么？"},
                    look_for={
                        "en": "“a cloud above a snail on a green background”, of every picture: all that it knows of one comes through "
                        "these maps. A good sentence is no proof that anything was seen.",
                        "zh": "不管什么图，都说“a cloud above a snail on a green background”：它对图片的全部了解都来自这些图。"
                        "句子通顺，不等于看见了什么。",
                    },
                    request={"seed": 0, "edits": [{"action": "off"}]},
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
