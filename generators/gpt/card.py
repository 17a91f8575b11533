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
    pin=Pin("self", 2, head=3),
    tries=(
        Try(
            question={"en": "How does a name in the title find its way into the tale?", "zh": "标题里的名字怎样进了故事？"},
            look_for={
                "en": "Stand at “M”, where the tale begins: head 4 of layer 3 gives 85 % to “ouse” in the title. It looks for an earlier "
                "“M” and copies what came next: an induction head.",
                "zh": "停在故事开头的“M”上：第 3 层第 4 个头把 85% 给了标题里的“ouse”。它找到前面的“M”，照抄后面跟着的：这叫归纳头。",
            },
            request={"prompt": "The Giant And The Mouse", "seed": 3, "settings": {"start": "title", "temperature": 0.5, "length": 70}},
        ),
        Try(
            question={"en": "What if that one head may not look?", "zh": "如果不让这个头看呢？"},
            look_for={
                "en": "The same dice with head 4 of layer 3 switched off: the Mouse opens the tale, and is never named again.",
                "zh": "骰子不变，关掉第 3 层第 4 个头：老鼠（Mouse）开了头，此后再没有被提到。",
            },
            request={
                "prompt": "The Giant And The Mouse",
                "seed": 3,
                "settings": {"start": "title", "temperature": 0.5, "length": 70},
                "edits": [{"action": "off", "layers": [2], "heads": [3]}],
            },
        ),
        Try(
            question={"en": "And without the head that looks one token back?", "zh": "关掉只看前一个词元的头呢？"},
            look_for={
                "en": "Head 1 of layer 3 mostly looks at the token before. Without it the tale turns in circles: “A Mouse was a Mouse, and "
                "a Mouse was a little old Mouse”.",
                "zh": "第 3 层第 1 个头多半只看前一个词元。没有它，故事就原地打转：“A Mouse was a Mouse, and a Mouse was a little old "
                "Mouse”。",
            },
            request={
                "prompt": "The Giant And The Mouse",
                "seed": 3,
                "settings": {"start": "title", "temperature": 0.5, "length": 70},
                "edits": [{"action": "off", "layers": [2], "heads": [0]}],
            },
        ),
    ),
)

POEMS = Variant(
    name="poems_zh",
    title={"en": "Poem", "zh": "诗"},
    icon="🖌",
    placeholder={"en": "An opening in Chinese, such as 明月松间照", "zh": "诗的开头，如“明月松间照”；留空则自行开头"},
    pin=Pin("self", 2, head=3, query=24),
    tries=(
        Try(
            question={"en": "How does it know that a line is over?", "zh": "它怎么知道一句写完了？"},
            look_for={
                "en": "Stand at the last character of a line: head 4 of layer 3 gives 97 % and more to the mark that ended the line above, "
                "and so chooses the next mark.",
                "zh": "停在一句的最后一个字上：第 3 层第 4 个头把 97% 以上给了上一句末尾的标点，于是轮到标点了。",
            },
            request={"prompt": "", "seed": 2, "settings": {"form": "7", "temperature": 0.7}},
        ),
        Try(
            question={"en": "Does a line listen to the one above it?", "zh": "下一句会听上一句吗？"},
            look_for={
                "en": "At “南”, about to choose the second character of its line, the same head gives 93 % to “人”, the second of the line "
                "above. The rules of tone bind just these two places.",
                "zh": "停在“南”上，正要选本句的第二个字：同一个头把 93% 给了上一句的第二个字“人”。平仄相对的正是这两个位置。",
            },
            request={"prompt": "故人西辞黄鹤楼", "seed": 1, "settings": {"temperature": 0.8}},
        ),
        Try(
            question={"en": "What if nobody may look at the sign of the form?", "zh": "如果都不许看表示格式的记号呢？"},
            look_for={
                "en": "Five characters a line were asked for. With the very first token hidden the lines have six and seven.",
                "zh": "要的是五言；把最前面的记号藏起来，写出的句子成了六个字、七个字。",
            },
            request={
                "prompt": "",
                "seed": 4,
                "settings": {"form": "5", "temperature": 0.7},
                "edits": [{"action": "hide", "keys": [0]}],
            },
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
        "the-giant-and-the-mouse": {
            "text": "The Giant And The Mouse",
            "seed": 3,
            "settings": {"temperature": 0.5, "length": 70, "start": "title"},
        },
        "said-the-wolf": {"text": '"Who are you?" said the wolf.', "seed": 1, "settings": {"temperature": 0.5, "length": 80}},
        "a-giant-and-his-wife": {"text": "Jack and the giant sat at the table.", "seed": 4, "settings": {"temperature": 0.5, "length": 80}},
        "the-angry-princess": {"text": "The princess opened the door and", "seed": 2, "settings": {"temperature": 0.5, "length": 90}},
        "three-days": {"text": "The old witch looked at the boy and said", "seed": 3, "settings": {"temperature": 0.5, "length": 90}},
        "a-fox-was-a-fox": {
            "text": "The Fox And The Wolf",
            "seed": 2,
            "settings": {"temperature": 0.5, "length": 90, "start": "title"},
        },
    },
    "poems_zh": {
        "spring-wind": {"seed": 2, "settings": {"form": "7", "temperature": 0.7}},
        "from-yellow-crane-tower": {"text": "故人西辞黄鹤楼", "seed": 1, "settings": {"temperature": 0.8}},
        "moon-among-pines": {"text": "明月松间照", "seed": 2, "settings": {"temperature": 0.7}},
        "autumn-night": {"text": "秋夜", "seed": 2, "settings": {"form": "7", "start": "title", "temperature": 0.8}},
        "farewell-to-a-friend": {"text": "送友人", "seed": 3, "settings": {"form": "5", "start": "title", "temperature": 0.8}},
        "plum-blossom": {"text": "梅花", "seed": 7, "settings": {"form": "7", "start": "title", "temperature": 0.7}},
        "old-tree": {"seed": 5, "settings": {"form": "5", "temperature": 0.7}},
    },
}
"""Stored runs: variant → file name → what `Request.check` takes. The first of each is the one that is seen learning."""
