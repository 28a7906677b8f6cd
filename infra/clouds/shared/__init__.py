"""What the clouds share: each thing stands here once."""
