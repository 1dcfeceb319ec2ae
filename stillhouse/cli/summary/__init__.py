"""The words of a distillation before its first step and after its last."""
