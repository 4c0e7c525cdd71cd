"""Operations of botocore against moto's server, over real sockets; run by libraries.py, on http.client and on compat.

S3 is where botocore leaves the beaten track: it sends `Expect: 100-continue` and reads the answer from the socket.
"""

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

LARGE = 6 * 1024 * 1024  # bytes; more than a socket takes at once


@pytest.fixture(scope="module")
def connect() -> Iterator[Any]:
    """Make a client of a service; all of them end with the module."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.Session("key", "secret", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, proxies={})
    clients = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = session.client(service, endpoint_url=f"http://{host}:{port}", config=config)
        return clients[service]

    yield client
    for each in clients.values():
        each.close()
    server.stop()


@pytest.fixture(scope="module")
def s3(connect: Any) -> Any:
    connect("s3").create_bucket(Bucket="bucket")
    return connect("s3")


def body_of(answer: Any) -> bytes:
    data: bytes = answer["Body"].read()
    return data


@pytest.mark.parametrize("content", [b"", b"x", b"abc" * 100_000])
def test_stored_object_is_returned(s3: Any, content: bytes) -> None:
    s3.put_object(Bucket="bucket", Key="key", Body=content)
    assert body_of(s3.get_object(Bucket="bucket", Key="key")) == content


def test_object_from_a_file(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="file", Body=io.BytesIO(b"f" * LARGE))
    assert s3.head_object(Bucket="bucket", Key="file")["ContentLength"] == LARGE
    assert sum(map(len, s3.get_object(Bucket="bucket", Key="file")["Body"].iter_chunks())) == LARGE


def test_object_in_parts(s3: Any) -> None:
    name = {"Bucket": "bucket", "Key": "parts"}
    upload = name | {"UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=b"p" * LARGE)["ETag"]} for n in (1, 2)
    ]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(**name)["ContentLength"] == 2 * LARGE


def test_part_of_an_object(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="range", Body=b"0123456789")
    assert body_of(s3.get_object(Bucket="bucket", Key="range", Range="bytes=2-4")) == b"234"


def test_object_abandoned_half_way(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="half", Body=b"h" * LARGE)
    body = s3.get_object(Bucket="bucket", Key="half")["Body"]
    assert body.read(10) == b"h" * 10
    body.close()
    assert s3.head_object(Bucket="bucket", Key="half")["ContentLength"] == LARGE


def test_pages(s3: Any) -> None:
    for n in range(7):
        s3.put_object(Bucket="bucket", Key=f"page/{n}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bucket", Prefix="page/", PaginationConfig={"PageSize": 3}
    )
    assert [len(page["Contents"]) for page in pages] == [3, 3, 1]


def test_missing_object(s3: Any) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="bucket", Key="missing")
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="bucket", Key="missing")


def test_object_copied_and_deleted(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="old", Body=b"content")
    s3.copy_object(Bucket="bucket", Key="new", CopySource="bucket/old")
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "old"}]})
    assert body_of(s3.get_object(Bucket="bucket", Key="new")) == b"content"


def test_queue(connect: Any) -> None:
    queue = {"QueueUrl": connect("sqs").create_queue(QueueName="queue")["QueueUrl"]}
    connect("sqs").send_message(**queue, MessageBody="héllo")
    (message,) = connect("sqs").receive_message(**queue)["Messages"]
    assert message["Body"] == "héllo"
    connect("sqs").delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])


def test_table(connect: Any) -> None:
    key = {"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "id", "KeyType": "HASH"}
    connect("dynamodb").create_table(
        TableName="table", AttributeDefinitions=[key[0]], KeySchema=[key[1]], BillingMode="PAY_PER_REQUEST"
    )
    connect("dynamodb").put_item(TableName="table", Item={"id": {"S": "a"}, "n": {"N": "1"}})
    assert connect("dynamodb").get_item(TableName="table", Key={"id": {"S": "a"}})["Item"]["n"] == {"N": "1"}


def test_identity(connect: Any) -> None:
    assert connect("sts").get_caller_identity()["Account"]
