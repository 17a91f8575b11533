"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generators.base import Card, Pin, Try, Variant
from generators.writing import settings

TALES = Variant(
    name="tales_en",
    title={"en": "Tale", "zh": "童话"},
    icon="📖",
    placeholder={"en": "Once upon a time there was a …", "zh": "故事的开头，用英文写，如 Once upon a time"},
    pin=Pin("self", 0, head=2),
    tries=(
        Try(
            question={"en": "Who is it that speaks? Where does the model look it up?", "zh": "是谁在说话？模型到哪里去查？"},
            look_for={
                "en": "Stand at the first “said the”: head 3 gives 96 % to “wo” of the wolf in the prompt, and then, to go on, to “lf”.",
                "zh": "停在第一个“said the”上：第 3 个头把 96% 给了提示里狼（wolf）的“wo”，下一步又给了“lf”。",
            },
            request={"prompt": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        ),
        Try(
            question={"en": "What if that one head may not look?", "zh": "如果不让这个头看呢？"},
            look_for={
                "en": "The same dice with head 3 switched off: the sentences hold, but the wolf never comes back.",
                "zh": "骰子不变，关掉第 3 个头：句子还通顺，狼却再也没有出现。",
            },
            request={
                "prompt": '"Who are you?" said the wolf.',
                "seed": 1,
                "settings": {"temperature": 0.5, "length": 80},
                "edits": [{"action": "off", "heads": [2]}],
            },
        ),
        Try(
            question={"en": "How much of a title finds its way into the tale?", "zh": "标题里的词有多少进了故事？"},
            look_for={
                "en": "At “M” in “A Giant Mouse”, head 3 gives nearly everything to “ouse” in the title: "
                "it looks for what came next the last time.",
                "zh": "在“A Giant Mouse”的“M”处，第 3 个头几乎全给了标题里的“ouse”：它在找上一次后面跟着什么。",
            },
            request={
                "prompt": "The Giant And The Mouse",
                "seed": 3,
                "settings": {"start": "title", "temperature": 0.5, "length": 90},
            },
        ),
    ),
)

POEMS = Variant(
    name="poems_zh",
    title={"en": "Poem", "zh": "诗"},
    icon="🖌",
    placeholder={"en": "An opening in Chinese, such as 明月松间照", "zh": "诗的开头，如“明月松间照”；留空则自行开头"},
    pin=Pin("self", 0, head=3, query=26),
    tries=(
        Try(
            question={"en": "Does the last line look at the one before it?", "zh": "末句会看上一句吗？"},
            look_for={
                "en": "At the comma before the last line, head 4 gives 44 % to the first character of the line above. "
                "Walk on with the arrow keys: it moves along with the line, as the two lines of a couplet answer each other.",
                "zh": "停在末句前的逗号上：第 4 个头把 44% 给了上句的第一个字。用方向键往后走，它随之后移：对仗的两句就是这样逐字呼应的。",
            },
            request={"prompt": "", "seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        ),
        Try(
            question={"en": "Which head knows how long a line is?", "zh": "哪个头知道一句有几个字？"},
            look_for={
                "en": "Five characters a line were asked for, but with head 1 switched off the lines have seven: "
                "it is the one that looks at the sign of the form, the very first token.",
                "zh": "要的是五言，关掉第 1 个头却写成了七言：正是它在看最前面表示格式的记号。",
            },
            request={"prompt": "", "seed": 4, "settings": {"form": "5"}, "edits": [{"action": "off", "heads": [0]}]},
        ),
        Try(
            question={"en": "What is left of a poem without any attention?", "zh": "完全关掉注意力，诗还剩什么？"},
            look_for={
                "en": "No line ends any more, and characters repeat. "
                "Compare with the twin, which never had attention and learned to do without.",
                "zh": "句子不再结束，字也不断重复。再与从未有过注意力的对照模型比一比：它学会了不靠注意力写诗。",
            },
            request={"prompt": "", "seed": 1, "settings": {"form": "7"}, "edits": [{"action": "off"}]},
        ),
    ),
    language="zh",
)

CARD = Card(
    name="lstm",
    title={"en": "Write a tale, a poem", "zh": "写童话，写诗"},
    summary={
        "en": "An LSTM writes token by token. At every token, attention looks back over the states of all tokens so far.",
        "zh": "LSTM 逐个词元地写；每写一个，注意力都回看此前所有词元的状态。",
    },
    accepts=("text",),
    produces="text",
    variants=(TALES, POEMS),
    settings=settings(256, prose=("tales_en",), verse=("poems_zh",)),
    anatomy=(
        ({"en": "Embedding", "zh": "词嵌入"}, False),
        ({"en": "LSTM", "zh": "LSTM"}, False),
        ({"en": "Attention", "zh": "注意力"}, True),
        ({"en": "Dense", "zh": "全连接层"}, False),
    ),
    network={"en": "LSTM", "zh": "LSTM"},
)

EXAMPLES: dict[str, dict[str, Mapping[str, Any]]] = {
    "tales_en": {
        "the-wolf-and-the-fox": {"text": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        "behind-the-door": {"text": "The princess opened the door and", "seed": 2, "settings": {"length": 110}},
        "the-old-witch": {"text": "The old witch looked at the boy and said", "seed": 3, "settings": {"temperature": 0.5, "length": 90}},
        "the-king-of-the-frog": {"text": "The frog jumped out of the water.", "seed": 2, "settings": {"temperature": 0.5, "length": 90}},
        "the-giant-mouse": {
            "text": "The Giant And The Mouse",
            "seed": 3,
            "settings": {"temperature": 0.5, "length": 90, "start": "title"},
        },
        "a-farmer-in-a-great-city": {"text": "Once upon a time", "seed": 1, "settings": {"temperature": 0.7, "length": 110}},
        "a-poor-woodcutter": {
            "text": "A poor woodcutter lived with his wife",
            "seed": 2,
            "settings": {"temperature": 0.5, "length": 90},
        },
    },
    "poems_zh": {
        "a-flute-in-the-southern-hills": {"seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        "moss-on-the-water": {"text": "明月松间照", "seed": 2, "settings": {"temperature": 0.7}},
        "to-an-old-friend": {"text": "明月松间照", "seed": 13, "settings": {"temperature": 0.7}},
        "farewell-to-a-friend": {"text": "送友人", "seed": 3, "settings": {"form": "5", "start": "title", "temperature": 0.8}},
        "autumn-night": {"text": "秋夜", "seed": 2, "settings": {"form": "7", "start": "title", "temperature": 0.8}},
        "from-yellow-crane-tower": {"text": "故人西辞黄鹤楼", "seed": 1, "settings": {"temperature": 0.8}},
        "two-years-of-dreams": {"text": "白云", "seed": 2, "settings": {"temperature": 0.7}},
        "plum-blossom": {"text": "梅花", "seed": 7, "settings": {"form": "7", "start": "title", "temperature": 0.7}},
    },
}
"""Stored runs: variant → file name → what `Request.check` takes. The first of each is the one that is seen learning."""
