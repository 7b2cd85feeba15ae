"""What a model file says of itself, for people and machines: its card, its operators, the memory it needs.

`inspect.inspect_model` reads and verifies, `sections` and `operators` say what there is in what order and words, and
one `document` of facts and tables becomes text for the terminal or Markdown for `docs/model-card.md`. No TensorFlow.
"""
