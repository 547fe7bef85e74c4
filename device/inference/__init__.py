"""From pictures, sound and words to estimates of emotion."""
