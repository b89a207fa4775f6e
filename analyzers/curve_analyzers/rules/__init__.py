"""The rules of one run: one file each, the folder is the family."""
