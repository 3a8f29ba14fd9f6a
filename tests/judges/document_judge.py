"""The OpenAPI document itself: valid by the specification's own rules, and every example fits its schema."""

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from server import Server

DOCUMENT = "urn:document"


def the_document_is_valid_openapi(server: Server):
    OpenAPIV31SpecValidator(document(server)).validate()


def every_example_fits_its_schema(server: Server):
    whole = document(server)
    registry = Registry().with_resource(DOCUMENT, DRAFT202012.create_resource(whole))
    checked = 0
    for place, schema, example in examples(whole, "#", whole):
        reference = schema.get("$ref") or f"{place}/schema"
        validator = Draft202012Validator({"$ref": DOCUMENT + reference}, registry=registry)
        errors = [error.message for error in validator.iter_errors(example)]
        assert not errors, (place, errors)
        checked += 1
    assert checked > 150, checked


def document(server: Server) -> dict:
    return server.api("GET", "/openapi.json").json()


def examples(whole: dict, place: str, value):
    """Where an example is, its schema, and the example."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from examples(whole, f"{place}/{index}", item)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("schema"), dict):
        if "example" in value:
            yield place, value["schema"], value["example"]
        for example in value.get("examples", {}).values():
            yield place, value["schema"], resolved(whole, example)["value"]
    for key, item in value.items():
        if key not in ("example", "examples"):
            yield from examples(whole, f"{place}/{key.replace('~', '~0').replace('/', '~1').replace('{', '%7B').replace('}', '%7D')}", item)


def resolved(whole: dict, value: dict) -> dict:
    if "$ref" not in value:
        return value
    for part in value["$ref"].removeprefix("#/").split("/"):
        whole = whole[part]
    return whole


CASES = [the_document_is_valid_openapi, every_example_fits_its_schema]
