"""A Qwen2.5-VL checkpoint of 0.6M random weights: all of the engine's work but the weights' own, and no words that mean
anything. It is made in seconds, with its tokenizer, chat template and processor.
"""

from __future__ import annotations

from pathlib import Path

_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>"),
)
_TEMPLATE = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}\
{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>\
{% elif part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\
{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
_SIDE_PX = 224


def make(folder: Path) -> Path:
    """Write the checkpoint into a folder."""
    import tokenizers
    import torch
    import transformers

    learnt = tokenizers.Tokenizer(tokenizers.models.BPE())
    learnt.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    learnt.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    learnt.train_from_iterator(
        ["a person walks across the room while the camera pans to the left"] * 9,
        tokenizers.trainers.BpeTrainer(vocab_size=600, special_tokens=list(_TOKENS), initial_alphabet=alphabet),
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=learnt,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(_TOKENS),
        chat_template=_TEMPLATE,
    )
    number = dict(zip(_TOKENS, tokenizer.convert_tokens_to_ids(list(_TOKENS)), strict=True))
    torch.manual_seed(0)
    model = transformers.Qwen2_5_VLForConditionalGeneration(
        transformers.Qwen2_5_VLConfig(
            text_config={
                "vocab_size": (len(tokenizer) + 63) // 64 * 64,
                "hidden_size": 128,
                "intermediate_size": 256,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,  # of 64: the least that vLLM's attention takes on a CPU
                "num_key_value_heads": 1,
                "max_position_embeddings": 4096,
                "rope_parameters": {
                    "rope_type": "default",
                    "type": "default",
                    "mrope_section": [8, 12, 12],
                    "rope_theta": 1e6,
                },
                "bos_token_id": number["<|endoftext|>"],
                "eos_token_id": number["<|im_end|>"],
            },
            vision_config={
                "depth": 2,
                "hidden_size": 64,
                "intermediate_size": 128,
                "num_heads": 4,
                "out_hidden_size": 128,
                "window_size": 112,
                "fullatt_block_indexes": [1],
            },
            image_token_id=number["<|image_pad|>"],
            video_token_id=number["<|video_pad|>"],
            vision_start_token_id=number["<|vision_start|>"],
            vision_end_token_id=number["<|vision_end|>"],
            tie_word_embeddings=True,
        )
    )
    model.to(torch.float32).save_pretrained(folder)
    pixels = {"min_pixels": 56 * 56, "max_pixels": _SIDE_PX * _SIDE_PX}
    transformers.Qwen2_5_VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(**pixels),
        video_processor=transformers.Qwen2VLVideoProcessor(**pixels),
        tokenizer=tokenizer,
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)
    return folder
