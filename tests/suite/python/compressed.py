"""Calls with gRPC's own compression, as grpcio makes them: requests go out in gzip, replies may come back so.

Arguments: an address, an API key (empty for a service that believes everybody). Prints one line per check that held.
"""

import sys

import grpc

METHOD = "/ispbridge.aex.v1.PremiseService/GetPremise"
PREMISE = b"B002A6B4-6541-47A5-8438-BE8ACEAA6D82"


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out + bytes([number]))


def request(padding):
    """A premise's id, and so many bytes in a field that nobody knows."""
    return b"\x0a" + varint(len(PREMISE)) + PREMISE + b"\xc2\x3e" + varint(padding) + b"a" * padding


def main(address, key):
    metadata = [("x-ispbridge-account", "main")] + ([("x-api-key", key)] if key else [])
    with grpc.insecure_channel(address, compression=grpc.Compression.Gzip) as channel:
        call = channel.unary_unary(METHOD)
        for padding in (0, 2000, 900_000):
            assert call(request(padding), metadata=metadata, timeout=20), padding
            print(f"{padding} bytes, compressed")
        # Far less than the limit as it is sent, and more than that unpacked.
        try:
            call(request(2_000_000), metadata=metadata, timeout=20)
            raise AssertionError("a request over the limit went well")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            print("over the limit")
        try:
            channel.unary_unary(METHOD)(
                request(2000), metadata=metadata, timeout=20, compression=grpc.Compression.Deflate
            )
            raise AssertionError("deflate went well")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
            print("another compression is refused")


main(*sys.argv[1:])
