"""Calls a gRPC server by its reflection alone, and says what came back, line by line.

Arguments: host:port, and a token. Run by the end-to-end tests.
"""

import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

address, token = sys.argv[1:]
channel = grpc.insecure_channel(address)
database = ProtoReflectionDescriptorDatabase(channel)
services = [name for name in database.get_services() if "reflection" not in name]
print(*sorted(services))

health = health_pb2_grpc.HealthStub(channel)
answer = health.Check(health_pb2.HealthCheckRequest(service="BillingService"))
print(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

method = DescriptorPool(database).FindServiceByName("BillingService").FindMethodByName(
    "CreateBillingAccount"
)
Request, Response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
create = channel.unary_unary(
    "/BillingService/CreateBillingAccount",
    request_serializer=Request.SerializeToString,
    response_deserializer=Response.FromString,
)


def call(metadata, **fields):
    try:
        request = json_format.ParseDict(fields, Request())
        answer = create(request, metadata=metadata, timeout=20)
        answer = json_format.MessageToDict(answer)
        print(answer["accountId"], answer["status"])
    except grpc.RpcError as error:
        print(error.code().name)


bearer = [("authorization", "Bearer " + token)]
patient = "123e4567-e89b-12d3-a456-426614174000"
call(bearer, patientId=patient, name="Ada", email="ada@example.com")
call([], patientId=patient, name="Ada", email="ada@example.com")
call(bearer, patientId=patient)
