"""A GGUF file as a folder that vLLM loads: `python convert_weights.py FOLDER FILE`; needs transformers."""

import sys
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer

folder, file = sys.argv[1], Path(sys.argv[2])
model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
# The weights are plain numbers now; what is remembered of their packing would keep them from being saved.
model.hf_quantizer, model.is_quantized = None, False
if hasattr(model.config, "quantization_config"):
    del model.config.quantization_config
model.save_pretrained(folder)
AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)
