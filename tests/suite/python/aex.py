"""AEx through the gateway with grpcio alone: the contract comes from reflection, nothing is generated.

Arguments: the gateway's address, an API key that may do everything, an API key that may do nothing.
Prints one line per check that held; the first that does not ends the program with an error.
"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

PACKAGE = "ispbridge.aex.v1"
CUSTOMER = "FC65F24E-AADD-440E-AF96-9CBBDFA50349"
OWNER = "8DC17240-9312-4EE0-A313-CF519657E2D3"
SERVICE = "533EE0A6-7279-415B-9ED1-191BC406AB9D"
# The document prints a copy of the premise for this service.
SERVICE_AS_PRINTED = "34A39B28-8547-4853-9CAC-56F168EDE9D2"
PREMISE = "B002A6B4-6541-47A5-8438-BE8ACEAA6D82"
PREDEFINED = "66E9BB4D-E360-4F40-A30E-AF27F52392B6"
PRODUCT = "C567389A-2D36-4C29-AD46-0EC3D7A7D0EA"
NOBODY = "00000000-0000-0000-0000-000000000000"


class WithKey(
    grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor
):
    """Adds the caller's key to every call; reflection has no other way to take one."""

    def __init__(self, key):
        self.key = key

    def _details(self, details):
        metadata = [*(details.metadata or ()), ("x-api-key", self.key), ("x-ispbridge-account", "main")]
        changed = grpc.ClientCallDetails()
        changed.method, changed.timeout, changed.metadata = details.method, details.timeout, metadata
        changed.credentials, changed.wait_for_ready = details.credentials, details.wait_for_ready
        changed.compression = details.compression
        return changed

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(self._details(details), request)

    def intercept_stream_stream(self, continuation, details, requests):
        return continuation(self._details(details), requests)


class Caller:
    """One API key at the gateway; messages are plain dictionaries with the field names of the contract."""

    def __init__(self, address, key, pool=None):
        self.channel = grpc.intercept_channel(grpc.insecure_channel(address), WithKey(key))
        self.database = None if pool else ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = pool or descriptor_pool.DescriptorPool(self.database)

    def call(self, method, timeout=10, **fields):
        service, name = method.split("/")
        found = self.pool.FindServiceByName(f"{PACKAGE}.{service}").FindMethodByName(name)
        request, reply = (message_factory.GetMessageClass(kind) for kind in (found.input_type, found.output_type))
        unary = self.channel.unary_unary(
            f"/{PACKAGE}.{method}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
        )
        answer = unary(json_format.ParseDict(fields, request()), timeout=timeout)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    def refused(self, method, **fields):
        """The status of a call that must fail: code, ErrorInfo and the violations of a BadRequest."""
        try:
            raise AssertionError(f"{method} answered {self.call(method, **fields)}")
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            assert status, f"{method}: no google.rpc.Status: {error}"
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            assert sum(detail.Unpack(info) for detail in status.details) == 1, status
            for detail in status.details:
                detail.Unpack(bad)
            return error.code(), info, [violation.field for violation in bad.field_violations]


def check(name, found, expected):
    assert found == expected, f"{name}: {found!r} is not {expected!r}"
    print(f"held: {name}")


def reads(aex):
    customer = aex.call("CustomerService/GetCustomer", customer_id=CUSTOMER)["customer"]
    check("GetCustomer", (customer["parent_id"], customer["created_at"]), ("AEEF38C0-F1E9-4E83-AD4F-3E35AAB8DFCF", "2024-10-17T11:42:49Z"))
    check("an absent field stays absent", "business_name" in customer, False)
    found = aex.call("CustomerService/ListCustomers", query="string")
    check("ListCustomers", [one["id"] for one in found["customers"]], [CUSTOMER])
    found = aex.call("CustomerService/ListCustomerServices", customer_id=OWNER)["services"]
    check("ListCustomerServices", [(one["id"], one["pppoe_password"]) for one in found], [(SERVICE, "LKNY0DE1P")])
    found = aex.call("PremiseService/ListPredefinedPremises", query="David Road")["predefined_premises"][0]
    check("ListPredefinedPremises", (found["id"], found["guid"], found["latitude"]), ("1616056", PREDEFINED, -26.038965))
    found = aex.call("PremiseService/GetPremise", premise_id=PREMISE)["premise"]
    check("GetPremise", (found["street_name"], found["status"]), ("Pompano Place", "Has Existing Service"))
    products = aex.call("ProductService/ListAvailableProducts", latitude=-29.7872215658, longitude=30.9834343322)["products"]
    price = products[0]["pricing"][0]
    check("ListAvailableProducts", (products[0]["id"], price["value"], price["value_incl"]), (PRODUCT, "477.3913", "549.0"))
    check("a product without a price", (products[1]["name"], "pricing" in products[1]), ("School Service", False))
    found = aex.call("OrderService/GetService", service_id=SERVICE)["service"]
    check("GetService", (found["wifi_username"], found["config_info"]["name"]), ("RippleFiber_ID3Y", "config_info"))
    found = aex.call("OrderService/GetService", service_id=SERVICE_AS_PRINTED)["service"]
    extra = found["extra_fields"]
    check("GetService keeps the printed keys", (extra["street_name"], extra["suburb"]), ("Pompano Place", "Newlands"))
    found = aex.call("OrderService/ListWorkOrders", service_id=SERVICE)["work_orders"][0]
    check("ListWorkOrders", (found["reference"], found["status"]), ("20241016-399307266", "New Order"))


def writes(aex):
    person = {"first_name": "Thandi", "last_name": "Ó Briain", "email": "thandi@example.com", "mobile_number": "1234567890"}
    made = aex.call("CustomerService/CreateCustomer", customer={**person, "password": "s33kret"})["customer_id"]
    stored = aex.call("CustomerService/GetCustomer", customer_id=made)["customer"]
    check("CreateCustomer", {name: stored[name] for name in person}, person)
    code, info, _ = aex.refused("CustomerService/CreateCustomer", customer={**person, "password": "s33kret"})
    check("the same customer again", (code, info.metadata["outcome"]), (grpc.StatusCode.ALREADY_EXISTS, "REJECTED"))
    order = {"customer": {**person, "id": made, "username": "thandi"}, "premise": {"external_reference": PREDEFINED}}
    answer = aex.call("OrderService/CreateService", **order, service={"product_id": PRODUCT})
    service = answer["service"]["service_id"]
    check("CreateService", answer["customer"]["id"], made)
    orders = aex.call("OrderService/ListWorkOrders", service_id=service)["work_orders"]
    check("its work order", [one["status"] for one in orders], ["New Order"])


def refusals(aex, address, stranger):
    code, info, _ = aex.refused("PremiseService/GetPremise", premise_id=NOBODY)
    seen = (code, info.reason, info.domain, info.metadata["outcome"])
    check("an unknown premise", seen, (grpc.StatusCode.NOT_FOUND, "NOT_FOUND", "aex.ispbridge", "REJECTED"))
    code, info, fields = aex.refused("CustomerService/CreateCustomer", customer={"first_name": "Thandi", "password": "x"})
    check("missing fields", (code, info.metadata["outcome"]), (grpc.StatusCode.INVALID_ARGUMENT, "NOT_SENT"))
    check("their names", fields, ["customer.last_name", "customer.email", "customer.mobile_number"])
    for name, key, expected in (
        ("a wrong key", "ispb_wrong", grpc.StatusCode.UNAUTHENTICATED),
        ("a key without a grant", stranger, grpc.StatusCode.PERMISSION_DENIED),
    ):
        code, info, _ = Caller(address, key, aex.pool).refused("PremiseService/GetPremise", premise_id=PREMISE)
        check(name, (code, info.domain), (expected, "gateway.ispbridge"))


def main(address, key, stranger):
    aex = Caller(address, key)
    known = [name for name in aex.database.get_services() if name.startswith(PACKAGE)]
    families = ("CustomerService", "OrderService", "PremiseService", "ProductService")
    check("reflection", sorted(known), [f"{PACKAGE}.{family}" for family in families])
    reads(aex)
    writes(aex)
    refusals(aex, address, stranger)


if __name__ == "__main__":
    main(*sys.argv[1:])
