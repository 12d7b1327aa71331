import { refuseIf, S3Error } from "./errors.ts"
import type { Grant, ObjectAttributes } from "./model.ts"
import { childrenNamed, malformedXml, textAt, type XmlElement, type XmlRecord } from "./xml.ts"

/** Whose everything is. */
export const OWNER_ID = "s3-server"

const GROUPS = "http://acs.amazonaws.com/groups/global/"
const owners: Grant = { grantee: { ID: OWNER_ID }, permission: "FULL_CONTROL" }
const everyone = { URI: `${GROUPS}AllUsers` }

/** Those of other accounts come to nothing here: there is one account. */
const cannedAcls: Readonly<Record<string, Grant[]>> = {
  private: [],
  "public-read": [{ grantee: everyone, permission: "READ" }],
  "public-read-write": [
    { grantee: everyone, permission: "READ" },
    { grantee: everyone, permission: "WRITE" },
  ],
  "authenticated-read": [{ grantee: { URI: `${GROUPS}AuthenticatedUsers` }, permission: "READ" }],
  "aws-exec-read": [],
  "bucket-owner-read": [],
  "bucket-owner-full-control": [],
}

const grantHeaders: Readonly<Record<string, string>> = {
  "x-amz-grant-full-control": "FULL_CONTROL",
  "x-amz-grant-read": "READ",
  "x-amz-grant-read-acp": "READ_ACP",
  "x-amz-grant-write-acp": "WRITE_ACP",
}

const granteeNames: Readonly<Record<string, "ID" | "URI" | "EmailAddress">> = {
  id: "ID",
  uri: "URI",
  emailAddress: "EmailAddress",
}

/** What a write says of grants; nothing if it says nothing. @throws {S3Error} InvalidArgument, InvalidRequest. */
export function readGrants(headers: ReadonlyMap<string, string>): Pick<ObjectAttributes, "grants"> {
  const canned = headers.get("x-amz-acl")
  const named = Object.entries(grantHeaders).flatMap(([header, permission]) =>
    parseGrantees(headers.get(header)).map((grantee) => ({ grantee, permission })),
  )
  refuseIf(
    canned !== undefined && named.length > 0,
    "InvalidRequest",
    "Specifying both Canned ACLs and Header Grants is not allowed",
  )
  if (named.length > 0) return { grants: named }
  const grants = cannedAcls[canned ?? "private"]
  if (grants === undefined) throw new S3Error("InvalidArgument", "Unknown canned ACL")
  return grants.length === 0 ? {} : { grants: [owners, ...grants] }
}

function parseGrantees(header: string | undefined): Grant["grantee"][] {
  return (header?.split(",") ?? []).map((one) => {
    const [, name = "", value = ""] = /^\s*(\w+)="([^"]*)"\s*$/.exec(one) ?? []
    const kind = granteeNames[name]
    if (kind === undefined) throw new S3Error("InvalidArgument", "Argument format not recognized")
    return { [kind]: value } as Grant["grantee"]
  })
}

/** @throws {S3Error} MalformedXML. */
export function parseAcl(root: XmlElement): Grant[] {
  const list = root.children.find(({ name }) => name === "AccessControlList")
  if (list === undefined) throw malformedXml()
  return childrenNamed(list, "Grant").map((grant) => {
    const kind = Object.values(granteeNames).find((name) => textAt(grant, "Grantee", name) !== undefined)
    const permission = textAt(grant, "Permission")
    if (kind === undefined || permission === undefined) throw malformedXml()
    return { grantee: { [kind]: textAt(grant, "Grantee", kind) } as Grant["grantee"], permission }
  })
}

export function aclRecord({ grants = [owners] }: ObjectAttributes): XmlRecord {
  return {
    Owner: { ID: OWNER_ID },
    AccessControlList: {
      Grant: grants.map(({ grantee, permission }) => ({ Grantee: { ...grantee }, Permission: permission })),
    },
  }
}
