"""The arithmetic of training: torch and numbers only, no settings, no files. A textbook to read.

What torch has is taken from torch. What stands here torch has not, or not as the chapter means it.
"""
