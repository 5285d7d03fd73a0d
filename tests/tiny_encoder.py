"""A real sentence-transformers model with two small layers, made here, without a network."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save_tiny_encoder(folder: Path, texts: Sequence[str], seed: int = 0) -> Path:
    """Write a model whose words are those of the texts; vectors of 32 numbers, random weights."""
    words = sorted({word for text in texts for word in re.findall(r"\w+", text.lower())})
    letters = [
        f"{hash_}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" for hash_ in ("", "##")
    ]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*SPECIAL, *letters, *words]))}
    bert = folder / "bert"
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.5,  # So that different words differ, though nothing was learned.
    )
    BertModel(config).save_pretrained(bert, safe_serialization=True)
    BertTokenizer(vocab=vocabulary).save_pretrained(bert)
    transformer = Transformer(str(bert), max_seq_length=64)
    pooling = Pooling(transformer.get_embedding_dimension(), "mean")
    model = folder / "model"
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save_pretrained(
        str(model), safe_serialization=True
    )
    return model
