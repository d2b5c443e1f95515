"""Reads each text of the corpus with Python's json_format, which shares no code with the gateway.

Arguments: a set of descriptors, the corpus. Prints one line per text that differs without saying why, or says why and does not.
"""

import json
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

files = descriptor_pb2.FileDescriptorSet.FromString(open(sys.argv[1], "rb").read())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)
Thing = message_factory.GetMessageClass(pool.FindMessageTypeByName("ispbridge.fake_isp.v1.Thing"))


def read(text):
    try:
        message = json_format.Parse(text, Thing(), descriptor_pool=pool)
    except Exception:
        return None
    return json_format.MessageToDict(message, descriptor_pool=pool)


for line in open(sys.argv[2], encoding="utf-8", newline="\n"):
    if line.startswith("#"):
        continue
    text, expected, *differs = line.rstrip("\n").split("\t")
    expected = None if expected.startswith("!") else json.loads(expected)
    found = read(text)
    if (found == expected) == bool(differs):
        print(f"{text}: {found}")
