"""Many pictures answered in one go: a folder sent, a job followed, its answers brought here."""
