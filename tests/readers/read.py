"""Read a published folder with the `datasets` of this environment, in each way that the card shows; prints JSON."""

import json
import sys
import tempfile

import datasets

datasets.disable_progress_bars()
folder = sys.argv[1]
ways = {}


def kept(rows):
    return [{**row, "mp4": len(row["mp4"]["bytes"])} for row in rows]


for streaming in (True, False):
    with tempfile.TemporaryDirectory() as cache:
        options = {"split": "train", "streaming": streaming, "cache_dir": cache}
        clips = datasets.load_dataset(folder, **options)
        some = datasets.load_dataset(folder, data_files="data/train-00001-*.tar", features=clips.features, **options)
        table = datasets.load_dataset("parquet", data_files=f"{folder}/metadata/*.parquet", **options)
        rejects = datasets.load_dataset("parquet", data_files=f"{folder}/rejects.parquet", **options)
        ways["streaming" if streaming else "whole"] = {
            "clips": kept(clips),
            "some": kept(some),
            "table": list(table),
            "rejects": list(rejects),
        }
print(json.dumps({"version": datasets.__version__, "ways": ways}))
