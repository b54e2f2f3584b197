"""What boto3.test.ts runs: one part of S3 each, through boto3 as Debian has it."""
import concurrent.futures
import hashlib
import os
import random
import sys
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["ENDPOINT"]
FILES = int(os.environ["FILES"])
BIG_BYTES = int(os.environ["BIG_BYTES"])


def client(style="path", **more):
    config = Config(signature_version="s3v4", s3={"addressing_style": style}, max_pool_connections=16, **more)
    return boto3.client("s3", endpoint_url=ENDPOINT, config=config)


s3 = client()


def code_of(call, **args):
    try:
        call(**args)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "none"


def tree():
    s3.create_bucket(Bucket="trees")
    rng = random.Random(1)
    files = {f"d{i // 100}/한글 & {i}%+": rng.randbytes(i * 37 % 4096) for i in range(FILES)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda kv: s3.put_object(Bucket="trees", Key=kv[0], Body=kv[1]), files.items()))
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="trees")
        listed = [o["Key"] for page in pages for o in page.get("Contents", [])]
        assert listed == sorted(files, key=lambda k: k.encode()), len(listed)
        got = pool.map(lambda k: (k, s3.get_object(Bucket="trees", Key=k)["Body"].read()), files)
        assert dict(got) == files
    for at in range(0, FILES, 1000):
        keys = [{"Key": k} for k in listed[at:at + 1000]]
        assert "Errors" not in s3.delete_objects(Bucket="trees", Delete={"Objects": keys, "Quiet": True})
    s3.delete_bucket(Bucket="trees")


class Made:
    """A file that is not there: bytes that depend on the place alone."""

    def __init__(self, size):
        self.size, self.at = size, 0
        self.block = random.Random(2).randbytes(1 << 20)

    def read(self, n=-1):
        n = self.size - self.at if n < 0 else min(n, self.size - self.at)
        out = bytearray()
        while len(out) < n:
            index, offset = divmod(self.at, 1 << 20)
            piece = index.to_bytes(8, "big") + self.block[8:]
            piece = piece[offset:offset + n - len(out)]
            out += piece
            self.at += len(piece)
        return bytes(out)


def large():
    s3.create_bucket(Bucket="large")
    config = TransferConfig(multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=4)
    s3.upload_fileobj(Made(BIG_BYTES), "large", "big", Config=config)
    want, got, made = hashlib.sha256(), hashlib.sha256(), Made(BIG_BYTES)
    while piece := made.read(1 << 20):
        want.update(piece)
    for piece in s3.get_object(Bucket="large", Key="big")["Body"].iter_chunks(1 << 20):
        got.update(piece)
    assert want.digest() == got.digest()
    s3.copy({"Bucket": "large", "Key": "big"}, "large", "copy", Config=config)
    assert s3.head_object(Bucket="large", Key="copy")["ContentLength"] == BIG_BYTES


def objects():
    s3.create_bucket(Bucket="objects")
    s3.put_object(Bucket="objects", Key="k", Body=b"hello", ContentType="text/x-test", CacheControl="no-cache",
                  ContentDisposition="attachment", ContentEncoding="identity", ContentLanguage="ko",
                  Metadata={"colour": "blue"}, StorageClass="STANDARD")
    head = s3.head_object(Bucket="objects", Key="k")
    assert head["ETag"] == '"5d41402abc4b2a76b9719d911017c592"', head
    assert head["ContentType"] == "text/x-test" and head["CacheControl"] == "no-cache", head
    assert head["ContentDisposition"] == "attachment" and head["ContentLanguage"] == "ko", head
    assert head["Metadata"] == {"colour": "blue"}, head
    assert s3.get_object(Bucket="objects", Key="k", Range="bytes=1-2")["Body"].read() == b"el"
    assert s3.get_object(Bucket="objects", Key="k", Range="bytes=-2")["Body"].read() == b"lo"
    assert code_of(s3.get_object, Bucket="objects", Key="k", Range="bytes=9-") == "InvalidRange"
    s3.copy_object(Bucket="objects", Key="copy", CopySource={"Bucket": "objects", "Key": "k"})
    assert s3.head_object(Bucket="objects", Key="copy")["Metadata"] == {"colour": "blue"}
    assert code_of(s3.get_object, Bucket="objects", Key="absent") == "NoSuchKey"
    assert code_of(s3.delete_bucket, Bucket="objects") == "BucketNotEmpty"
    s3.put_object_tagging(Bucket="objects", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b c"}]})
    assert s3.get_object_tagging(Bucket="objects", Key="k")["TagSet"] == [{"Key": "a", "Value": "b c"}]
    s3.delete_object_tagging(Bucket="objects", Key="k")
    assert s3.get_object_tagging(Bucket="objects", Key="k")["TagSet"] == []
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        try:
            put = s3.put_object(Bucket="objects", Key="sum", Body=b"x" * 100000, ChecksumAlgorithm=algorithm)
        except Exception as error:  # CRC32C needs a library that Debian's boto3 does not bring
            assert algorithm == "CRC32C", error
            continue
        head = s3.head_object(Bucket="objects", Key="sum", ChecksumMode="ENABLED")
        assert head["Checksum" + algorithm] == put["Checksum" + algorithm], (algorithm, head)


def paging():
    s3.create_bucket(Bucket="paging")
    keys = sorted(f"{a}/{b:02}" for a in "abc" for b in range(20))
    for key in keys:
        s3.put_object(Bucket="paging", Key=key, Body=b"")
    for name in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(name).paginate(Bucket="paging", PaginationConfig={"PageSize": 7}))
        assert [o["Key"] for p in pages for o in p.get("Contents", [])] == keys, name
        folded = list(s3.get_paginator(name).paginate(Bucket="paging", Delimiter="/", PaginationConfig={"PageSize": 2}))
        assert [p["Prefix"] for page in folded for p in page.get("CommonPrefixes", [])] == ["a/", "b/", "c/"], name
        below = s3.get_paginator(name).paginate(Bucket="paging", Prefix="b/1")
        assert [o["Key"] for p in below for o in p["Contents"]] == [f"b/{i}" for i in range(10, 20)], name
    after = s3.list_objects_v2(Bucket="paging", StartAfter="c/18")
    assert [o["Key"] for o in after["Contents"]] == ["c/19"]


def multipart():
    s3.create_bucket(Bucket="multipart")
    parts = [random.Random(i).randbytes((5 << 20) + i) for i in range(3)]
    upload = s3.create_multipart_upload(Bucket="multipart", Key="k", ContentType="text/x", Metadata={"a": "b"})
    where = {"Bucket": "multipart", "Key": "k", "UploadId": upload["UploadId"]}
    etags = [s3.upload_part(PartNumber=i + 1, Body=p, **where)["ETag"] for i, p in enumerate(parts)]
    assert [p["ETag"] for p in s3.list_parts(**where)["Parts"]] == etags
    assert [u["Key"] for u in s3.list_multipart_uploads(Bucket="multipart")["Uploads"]] == ["k"]
    done = {"Parts": [{"PartNumber": i + 1, "ETag": t} for i, t in enumerate(etags)]}
    assert code_of(s3.complete_multipart_upload, MultipartUpload={"Parts": done["Parts"][::-1]}, **where) == "InvalidPartOrder"
    wrong = {"Parts": [{"PartNumber": 1, "ETag": '"00"'}]}
    assert code_of(s3.complete_multipart_upload, MultipartUpload=wrong, **where) == "InvalidPart"
    s3.complete_multipart_upload(MultipartUpload=done, **where)
    got = s3.get_object(Bucket="multipart", Key="k")
    assert got["Body"].read() == b"".join(parts) and got["Metadata"] == {"a": "b"} and got["ETag"].endswith('-3"')
    upload = s3.create_multipart_upload(Bucket="multipart", Key="c")
    where = {"Bucket": "multipart", "Key": "c", "UploadId": upload["UploadId"]}
    source = {"Bucket": "multipart", "Key": "k"}
    etags = [s3.upload_part_copy(PartNumber=1, CopySource=source, CopySourceRange="bytes=0-5242879", **where),
             s3.upload_part_copy(PartNumber=2, CopySource=source, CopySourceRange="bytes=5242880-6000000", **where)]
    done = {"Parts": [{"PartNumber": i + 1, "ETag": t["CopyPartResult"]["ETag"]} for i, t in enumerate(etags)]}
    s3.complete_multipart_upload(MultipartUpload=done, **where)
    assert s3.get_object(Bucket="multipart", Key="c")["Body"].read() == b"".join(parts)[:6000001]
    upload = s3.create_multipart_upload(Bucket="multipart", Key="a")
    s3.abort_multipart_upload(Bucket="multipart", Key="a", UploadId=upload["UploadId"])
    assert code_of(s3.list_parts, Bucket="multipart", Key="a", UploadId=upload["UploadId"]) == "NoSuchUpload"


def conditions():
    s3.create_bucket(Bucket="conditions")
    etag = s3.put_object(Bucket="conditions", Key="k", Body=b"x")["ETag"]
    get = {"Bucket": "conditions", "Key": "k"}
    assert s3.get_object(IfMatch=etag, **get)["Body"].read() == b"x"
    assert code_of(s3.get_object, IfMatch='"other"', **get) == "PreconditionFailed"
    assert code_of(s3.get_object, IfNoneMatch=etag, **get) == "304"
    modified = s3.head_object(**get)["LastModified"]
    assert code_of(s3.get_object, IfModifiedSince=modified, **get) == "304"
    assert s3.get_object(IfUnmodifiedSince=modified, **get)["Body"].read() == b"x"


def presigned():
    s3.create_bucket(Bucket="presigned")
    put = s3.generate_presigned_url("put_object", {"Bucket": "presigned", "Key": "k é"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT"))
    get = s3.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "k é"}, ExpiresIn=60)
    assert urllib.request.urlopen(get).read() == b"by url"
    for bad in (get[:-1] + ("0" if get[-1] != "0" else "1"), get.replace("Expires=60", "Expires=61")):
        try:
            urllib.request.urlopen(bad)
            raise AssertionError(bad)
        except urllib.error.HTTPError as error:
            assert error.code == 403, error
    form = s3.generate_presigned_post("presigned", "form/${filename}", Conditions=[["content-length-range", 1, 100]], ExpiresIn=60)
    border = "----border"
    body = "".join(f'--{border}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in form["fields"].items())
    body += f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nby form\r\n--{border}--\r\n'
    urllib.request.urlopen(urllib.request.Request(form["url"], data=body.encode(), method="POST",
                                                  headers={"Content-Type": f"multipart/form-data; boundary={border}"}))
    assert s3.get_object(Bucket="presigned", Key="form/f.txt")["Body"].read() == b"by form"


def versions():
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket="versions")["Status"] == "Enabled"
    ids = [s3.put_object(Bucket="versions", Key="k", Body=f"v{i}".encode())["VersionId"] for i in range(3)]
    for i, version in enumerate(ids):
        got = s3.get_object(Bucket="versions", Key="k", VersionId=version)
        assert got["Body"].read() == f"v{i}".encode()
    marker = s3.delete_object(Bucket="versions", Key="k")
    assert marker["DeleteMarker"]
    assert code_of(s3.get_object, Bucket="versions", Key="k") == "NoSuchKey"
    listed = s3.list_object_versions(Bucket="versions")
    assert [v["VersionId"] for v in listed["Versions"]] == ids[::-1]
    assert [m["VersionId"] for m in listed["DeleteMarkers"]] == [marker["VersionId"]]
    s3.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket="versions", Key="k")["Body"].read() == b"v2"
    for version in ids:
        s3.delete_object(Bucket="versions", Key="k", VersionId=version)
    s3.delete_bucket(Bucket="versions")


def settings():
    s3.create_bucket(Bucket="settings")
    assert s3.get_bucket_location(Bucket="settings")["LocationConstraint"] is None
    assert code_of(s3.get_bucket_policy, Bucket="settings") == "NoSuchBucketPolicy"
    assert code_of(s3.get_bucket_cors, Bucket="settings") == "NoSuchCORSConfiguration"
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket="settings") == "NoSuchLifecycleConfiguration"
    policy = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",'
              '"Resource":"arn:aws:s3:::settings/public/*"}]}')
    s3.put_bucket_policy(Bucket="settings", Policy=policy)
    s3.put_object(Bucket="settings", Key="public/k", Body=b"for all")
    s3.put_object(Bucket="settings", Key="k", Body=b"not for all")
    assert urllib.request.urlopen(f"{ENDPOINT}/settings/public/k").read() == b"for all"
    try:
        urllib.request.urlopen(f"{ENDPOINT}/settings/k")
        raise AssertionError("an object that no policy opens was read without a signature")
    except urllib.error.HTTPError as error:
        assert error.code == 403, error
    s3.delete_bucket_policy(Bucket="settings")
    s3.put_bucket_cors(Bucket="settings", CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]})
    assert s3.get_bucket_cors(Bucket="settings")["CORSRules"][0]["AllowedMethods"] == ["GET"]
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="settings", LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket="settings")["Rules"][0]["ID"] == "old"
    assert s3.get_bucket_acl(Bucket="settings")["Grants"][0]["Permission"] == "FULL_CONTROL"


globals()[sys.argv[1]]()
print("ok")
