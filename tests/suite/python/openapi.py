"""The gateway's OpenAPI document, judged by an independent validator.

Arguments: the gateway's address, an API key. Prints what it found.
"""

import json
import sys
import urllib.request

from openapi_spec_validator import OpenAPIV31SpecValidator, validate


def main(address, key):
    request = urllib.request.Request(f"http://{address}/openapi.json", headers={"x-api-key": key})
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    document = json.loads(text)
    validate(document, cls=OpenAPIV31SpecValidator)
    schemas = document["components"]["schemas"]
    own = {name: schema for name, schema in schemas.items() if name.startswith("ispbridge.")}
    fields = [field for schema in own.values() for field in schema.get("properties", {}).values()]
    for path, item in document["paths"].items():
        assert item["post"].get("description"), f"{path} has no description"
    assert all("description" in field for field in fields), "a field has no description"
    print(f"valid: {len(text)} bytes, {len(document['paths'])} paths, {len(schemas)} schemas, {len(fields)} fields")


if __name__ == "__main__":
    main(*sys.argv[1:])
