"""Cases of gRPC's interoperability tests through the gateway, with grpcio; the contract comes from reflection.

Arguments: the gateway's address, an API key. Prints one line per case that held; the first that does not ends the program
with an error.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "ispbridge.interop.v1.TestService"
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


class WithKey(
    grpc.UnaryUnaryClientInterceptor, grpc.StreamUnaryClientInterceptor, grpc.StreamStreamClientInterceptor
):
    def __init__(self, key):
        self.key = key

    def _call(self, continuation, details, request):
        changed = grpc.ClientCallDetails()
        changed.method, changed.timeout = details.method, details.timeout
        changed.metadata = [*(details.metadata or ()), ("x-api-key", self.key)]
        changed.credentials, changed.wait_for_ready = details.credentials, details.wait_for_ready
        changed.compression = details.compression
        return continuation(changed, request)

    intercept_unary_unary = intercept_stream_unary = intercept_stream_stream = _call


class Caller:
    def __init__(self, address, key):
        self.channel = grpc.intercept_channel(grpc.insecure_channel(address), WithKey(key))
        self.pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.methods = {one.name: one for one in self.pool.FindServiceByName(SERVICE).methods}

    def message(self, name, **fields):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"ispbridge.interop.v1.{name}"))(**fields)

    def method(self, kind, name):
        found = self.methods[name]
        request, reply = (message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type))
        return getattr(self.channel, kind)(
            f"/{SERVICE}/{name}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
        )


def ended(call):
    """Code and text with which a call ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call must fail")


def empty_unary(test):
    assert test.method("unary_unary", "EmptyCall")(test.message("Empty")) == test.message("Empty")


def large_unary(test):
    request = test.message("SimpleRequest", response_size=314159, payload=test.message("Payload", body=bytes(271828)))
    assert len(test.method("unary_unary", "UnaryCall")(request).payload.body) == 314159


def cancel_after_begin(test):
    call = test.method("stream_unary", "StreamingInputCall").future(iter(()))
    call.cancel()
    assert call.cancelled() and call.code() is grpc.StatusCode.CANCELLED


def timeout_on_sleeping_server(test):
    request = test.message("StreamingOutputCallRequest", payload=test.message("Payload", body=bytes(27182)))
    call = test.method("stream_stream", "FullDuplexCall")(iter((request,)), timeout=0.001)
    assert ended(lambda: next(call))[0] is grpc.StatusCode.DEADLINE_EXCEEDED


def status_code_and_message(test):
    echo = test.message("EchoStatus", code=2, message="test status message")
    expected = grpc.StatusCode.UNKNOWN, echo.message
    request = test.message("SimpleRequest", response_status=echo)
    assert ended(lambda: test.method("unary_unary", "UnaryCall")(request)) == expected
    request = test.message("StreamingOutputCallRequest", response_status=echo)
    call = test.method("stream_stream", "FullDuplexCall")(iter((request,)))
    assert ended(lambda: next(call)) == expected


def special_status_message(test):
    request = test.message("SimpleRequest", response_status=test.message("EchoStatus", code=2, message=SPECIAL))
    assert ended(lambda: test.method("unary_unary", "UnaryCall")(request)) == (grpc.StatusCode.UNKNOWN, SPECIAL)


def unimplemented_method(test):
    call = test.method("unary_unary", "UnimplementedCall")
    assert ended(lambda: call(test.message("Empty")))[0] is grpc.StatusCode.UNIMPLEMENTED


def main(address, key):
    test = Caller(address, key)
    for case in (
        empty_unary,
        large_unary,
        cancel_after_begin,
        timeout_on_sleeping_server,
        status_code_and_message,
        special_status_message,
        unimplemented_method,
    ):
        case(test)
        print(f"held: {case.__name__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
