"""Everything that reflection has, resolved by grpcio's own reader of it.

Arguments: the gateway's address, an API key that may do everything.
Prints how many services, methods, messages and comments of messages there are.
"""

import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from aex import WithKey

MESSAGES = descriptor_pb2.FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER


def messages_of(message, found):
    """A message and all that it consists of."""
    if message.full_name in found:
        return
    found[message.full_name] = message
    for field in message.fields:
        if field.message_type:
            messages_of(field.message_type, found)


def comments(database, files):
    """The comments of the messages that these files declare."""
    for name in files:
        for location in database.FindFileByName(name).source_code_info.location:
            if len(location.path) == 2 and location.path[0] == MESSAGES and location.leading_comments.strip():
                yield location.leading_comments


def main(address, key):
    database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(grpc.insecure_channel(address), WithKey(key)))
    pool = descriptor_pool.DescriptorPool(database)
    services = [pool.FindServiceByName(name) for name in database.get_services() if name.startswith("ispbridge.")]
    methods = [method for service in services for method in service.methods]
    found = {}
    for method in methods:
        messages_of(method.input_type, found)
        messages_of(method.output_type, found)
    own = [message for name, message in found.items() if name.startswith("ispbridge.")]
    files = {message.file.name for message in own}
    told = sum(1 for _ in comments(database, files))
    assert pool.FindMessageTypeByName("google.rpc.ErrorInfo").file.name == "google/rpc/error_details.proto"
    print(len(services), len(methods), len({message.full_name for message in own if not message.containing_type}), told)


if __name__ == "__main__":
    main(*sys.argv[1:])
