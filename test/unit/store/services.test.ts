import { describe, expect, test } from "vitest"
import {
  serviceNames,
  serviceOfEndpoint,
  serviceOfHeaders,
  serviceProfile,
} from "../../../src/store/services.ts"

test.each([
  [undefined, "aws"],
  ["https://s3.eu-central-1.amazonaws.com", "aws"],
  ["https://s3-fips.us-east-1.amazonaws.com", "aws"],
  ["https://bucket.vpce-1a2b.s3.us-east-1.vpce.amazonaws.com", "aws"],
  ["https://s3.cn-north-1.amazonaws.com.cn", "aws"],
  ["https://0123abc.r2.cloudflarestorage.com", "r2"],
  ["https://0123abc.eu.r2.cloudflarestorage.com/", "r2"],
  ["https://s3.us-west-004.backblazeb2.com", "b2"],
  ["https://s3.eu-central-1.wasabisys.com", "wasabi"],
  ["https://s3.fr-par.scw.cloud", "scaleway"],
  ["https://storage.googleapis.com", "gcs"],
  ["https://s3.amazonaws.com.example.org", null],
  ["http://127.0.0.1:9000", null],
  ["no url", null],
])("the host of %s tells %s", (endpoint, service) => {
  expect(serviceOfEndpoint(endpoint)).toBe(service)
})

test.each([
  [{ server: "AmazonS3" }, "aws"],
  [{ server: "MinIO/RELEASE.2023" }, "minio"],
  [{ server: "Ceph Object Gateway (squid)" }, "ceph"],
  [{ "x-amz-request-id": "tx00000740e978983c4e988-006b010995-101e-default" }, "ceph"],
  [{ server: "WasabiS3/7.21" }, "wasabi"],
  [{ "x-amz-request-id": "tx5b1a2c3d4e5f60718293a-006b010995", "x-openstack-request-id": "tx5b" }, "swift"],
  [{ server: "nginx" }, null],
  [{}, null],
])("the headers %j tell %s", (headers, service) => {
  expect(serviceOfHeaders(headers)).toBe(service)
})

describe.each(serviceNames)("%s", (name) => {
  test("its largest object can be sent in the parts it takes", () => {
    const { limits } = serviceProfile(name)
    expect(limits.maxParts * limits.maxPartBytes).toBeGreaterThanOrEqual(limits.maxObjectBytes)
    expect(limits.minPartBytes).toBe(5 * 1024 ** 2)
  })
})

test("what sets services apart", () => {
  expect(serviceProfile("aws").limits.maxObjectBytes).toBe(50_000 * 1024 ** 3)
  expect(serviceProfile("scaleway").limits.maxParts).toBe(1000)
  expect(serviceProfile("generic").limits.maxMetadataValueBytes).toBe(256)
  expect(serviceProfile("ceph").features["complete-if-none-match"]).toBeUndefined()
})
