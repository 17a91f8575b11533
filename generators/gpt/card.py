"""What is known of the generator before any model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generators.base import Card, Pin, Try, Variant
from generators.writing import settings

CONTEXT = 1024  # tokens that the model can read: prompt and all that follows

TALES = Variant(
    name="tales_en",
    title={"en": "Tale", "zh": "童话"},
    icon="📖",
    placeholder={"en": "Once upon a time there was a …", "zh": "故事的开头，用英文写，如 Once upon a time"},
    pin=Pin("self", 1, head=0),
    tries=(
        Try(
            question={"en": "Who is it that speaks? Where does the model look it up?", "zh": "是谁在说话？模型到哪里去查？"},
            look_for={"en": "Stand at “said the”.", "zh": "停在“said the”上。"},
            request={"prompt": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        ),
        Try(
            question={"en": "What if the first layer may not look?", "zh": "如果第一层不许看呢？"},
            look_for={"en": "The sentences fall apart.", "zh": "句子散了架。"},
            request={
                "prompt": '"Who are you?" said the wolf.',
                "seed": 1,
                "settings": {"temperature": 0.5, "length": 80},
                "edits": [{"action": "off", "layers": [0]}],
            },
        ),
        Try(
            question={"en": "How much of a title finds its way into the tale?", "zh": "标题里的词有多少进了故事？"},
            look_for={"en": "Look for the words of the title.", "zh": "找标题里的词。"},
            request={"prompt": "The Giant And The Mouse", "seed": 3, "settings": {"start": "title", "temperature": 0.5, "length": 90}},
        ),
    ),
)

POEMS = Variant(
    name="poems_zh",
    title={"en": "Poem", "zh": "诗"},
    icon="🖌",
    placeholder={"en": "An opening in Chinese, such as 明月松间照", "zh": "诗的开头，如“明月松间照”；留空则自行开头"},
    pin=Pin("self", 1, head=0, query=26),
    tries=(
        Try(
            question={"en": "Does the last line look at the one before it?", "zh": "末句会看上一句吗？"},
            look_for={"en": "Walk along the last line.", "zh": "沿末句走。"},
            request={"prompt": "", "seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        ),
        Try(
            question={"en": "Which head knows how long a line is?", "zh": "哪个头知道一句有几个字？"},
            look_for={"en": "Switch heads off one by one.", "zh": "逐个关掉。"},
            request={"prompt": "", "seed": 4, "settings": {"form": "5"}, "edits": [{"action": "off", "heads": [0]}]},
        ),
        Try(
            question={"en": "What is left of a poem without any attention?", "zh": "完全关掉注意力，诗还剩什么？"},
            look_for={"en": "Compare with the twin.", "zh": "与对照模型比一比。"},
            request={"prompt": "", "seed": 1, "settings": {"form": "7"}, "edits": [{"action": "off"}]},
        ),
    ),
    language="zh",
)

CARD = Card(
    name="gpt",
    title={"en": "Write with a transformer", "zh": "用 Transformer 写作"},
    network={"en": "Transformer", "zh": "Transformer"},
    summary={
        "en": "A transformer writes token by token. At every token, each head of each layer looks back over all tokens so far.",
        "zh": "Transformer 逐个词元地写；每写一个，每一层的每个头都回看此前所有词元。",
    },
    accepts=("text",),
    produces="text",
    variants=(TALES, POEMS),
    settings=settings(CONTEXT, prose=("tales_en",), verse=("poems_zh",)),
    anatomy=(
        ({"en": "Embedding", "zh": "词嵌入"}, False),
        ({"en": "Attention", "zh": "注意力"}, True),
        ({"en": "Feed-forward (both 4 times)", "zh": "前馈（两者交替 4 次）"}, False),
        ({"en": "Dense", "zh": "全连接层"}, False),
    ),
)

EXAMPLES: dict[str, dict[str, Mapping[str, Any]]] = {
    "tales_en": {
        "the-wolf-and-the-fox": {"text": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        "behind-the-door": {"text": "The princess opened the door and", "seed": 2, "settings": {"length": 110}},
        "the-old-witch": {"text": "The old witch looked at the boy and said", "seed": 3, "settings": {"temperature": 0.5, "length": 90}},
        "the-frog": {"text": "The frog jumped out of the water.", "seed": 2, "settings": {"temperature": 0.5, "length": 90}},
        "the-giant-mouse": {"text": "The Giant And The Mouse", "seed": 3, "settings": {"temperature": 0.5, "length": 90, "start": "title"}},
        "once-upon-a-time": {"text": "Once upon a time", "seed": 1, "settings": {"temperature": 0.7, "length": 110}},
    },
    "poems_zh": {
        "from-nothing": {"seed": 1, "settings": {"form": "7", "temperature": 0.8}},
        "moss": {"text": "明月松间照", "seed": 2, "settings": {"temperature": 0.7}},
        "farewell-to-a-friend": {"text": "送友人", "seed": 3, "settings": {"form": "5", "start": "title", "temperature": 0.8}},
        "autumn-night": {"text": "秋夜", "seed": 2, "settings": {"form": "7", "start": "title", "temperature": 0.8}},
        "from-yellow-crane-tower": {"text": "故人西辞黄鹤楼", "seed": 1, "settings": {"temperature": 0.8}},
        "white-clouds": {"text": "白云", "seed": 2, "settings": {"temperature": 0.7}},
    },
}
"""Stored runs: variant → file name → what `Request.check` takes. The first of each is the one that is seen learning."""
