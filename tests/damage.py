"""What a disk may do to a file."""
import os


def truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


def flip(path, mask=1):
    """Flips bits of the middle byte."""
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ mask]))
