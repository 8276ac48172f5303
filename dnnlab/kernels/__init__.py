"""The arithmetic of training: torch and numbers only, no settings, no files. Read it like a textbook.

What torch has is taken from torch. What stands here torch has not, or not as the chapter means it.
"""
