import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parseListing } from "../../../src/store/s3-listing-document.ts"
import { listedBySdk, usedOf } from "../../fuzz/sdk-listing.ts"

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
}

/** Text in XML; each character that may be there as itself or by its number is there as `numbers` says. */
function xmlText(text: string, numbers: "none" | "decimal" | "hex"): string {
  return text.replace(/[&<>"']/g, (char) => {
    const code = char.charCodeAt(0)
    if (numbers === "none") return ENTITIES[char] ?? ""
    return numbers === "hex" ? `&#x${code.toString(16)};` : `&#${code};`
  })
}

const element = (name: string, content: string) => `<${name}>${content}</${name}>`

const numbers = fc.constantFrom("none", "decimal", "hex")
/** Keys as they are, and as `encoding-type=url` has them. */
const name = fc
  .tuple(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((key) => `k${key}`),
    fc.boolean(),
    numbers,
  )
  .map(([key, encoded, how]) => xmlText(encoded ? encodeURIComponent(key) : key, how))
const time = fc
  .date({ min: new Date("0000-03-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString())
const optional = (tag: string, content: fc.Arbitrary<string>) =>
  fc.option(
    content.map((text) => element(tag, text)),
    { nil: "" },
  )
/** In any order, with a new line between them or none. */
const members = (...each: fc.Arbitrary<string>[]) =>
  fc
    .tuple(fc.constantFrom("", "\n", "\n  "), fc.tuple(...each))
    .chain(([layout, texts]) =>
      fc
        .shuffledSubarray(texts, { minLength: texts.length })
        .map((order) => layout + order.filter((text) => text !== "").join(layout) + layout),
    )
const entry = members(
  name.map((key) => element("Key", key)),
  optional("LastModified", fc.oneof(time, fc.constant("2026-11-28T15:35:04Z"))),
  optional("ETag", fc.constantFrom("&quot;abc-3&quot;", "&#34;abc&#34;", '"abc"', "abc", "")),
  optional(
    "Size",
    fc.maxSafeNat().map((bytes) => String(bytes % 1e15)),
  ),
  optional("StorageClass", fc.constantFrom("STANDARD", "INTELLIGENT_TIERING", "")),
  fc.constantFrom(
    "",
    "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm>",
  ),
  optional("ChecksumType", fc.constant("COMPOSITE")),
  fc.constantFrom("", "<Owner><ID>1</ID><DisplayName>a &amp; b</DisplayName></Owner>", "<Owner/>"),
  fc.constantFrom("", "<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"),
  fc.constantFrom("", "<Type>Normal</Type>", "<UserTags/>"),
)
const listing = fc
  .tuple(
    fc.constantFrom("", '<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0"?>\n'),
    fc.constantFrom("", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'),
    members(
      fc.constant("<Name>vault</Name>"),
      fc.constantFrom("", "<Prefix/>", "<Prefix></Prefix>", "<Prefix>a%2F</Prefix>"),
      optional("Delimiter", fc.constant("/")),
      optional("StartAfter", name),
      optional("ContinuationToken", name),
      optional("NextContinuationToken", name),
      optional("KeyCount", fc.nat().map(String)),
      optional("MaxKeys", fc.constant("1000")),
      optional("IsTruncated", fc.constantFrom("true", "false")),
      optional("EncodingType", fc.constant("url")),
      fc
        .array(
          entry.map((text) => element("Contents", text)),
          { maxLength: 5 },
        )
        .map((all) => all.join("")),
      fc
        .array(
          name.map((text) => element("CommonPrefixes", element("Prefix", text))),
          { maxLength: 3 },
        )
        .map((all) => all.join("")),
    ),
  )
  .map(([declaration, namespace, content]) => {
    return `${declaration}<ListBucketResult${namespace}>${content}</ListBucketResult>`
  })

test("what is read is what the SDK reads", async () => {
  await fc.assert(
    fc.asyncProperty(listing, async (document) => {
      const page = parseListing(document)
      if (page === null) throw new Error("it was left to the SDK")
      expect(usedOf(page)).toEqual(usedOf(await listedBySdk(document)))
    }),
    { numRuns: 300 },
  )
})

const PAGE = `<?xml version="1.0"?><ListBucketResult xmlns="urn:s3"><Name>vault</Name><KeyCount>1</KeyCount>\
<IsTruncated>false</IsTruncated><Contents><Key>a</Key><LastModified>2026-11-28T15:35:04.684Z</LastModified>\
<ETag>&quot;e&quot;</ETag><Size>3</Size><StorageClass>STANDARD</StorageClass><Owner><ID>1</ID></Owner></Contents>\
<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>`

test("a page", () => {
  expect(parseListing(PAGE)).toEqual({
    Name: "vault",
    KeyCount: 1,
    IsTruncated: false,
    Contents: [
      {
        Key: "a",
        LastModified: new Date("2026-11-28T15:35:04.684Z"),
        ETag: '"e"',
        Size: 3,
        StorageClass: "STANDARD",
      },
    ],
    CommonPrefixes: [{ Prefix: "b/" }],
  })
})

test("whatever is cut off, put in or taken out: what is read is what the SDK reads, or it is left to it", async () => {
  const piece = fc.constantFrom(
    "<",
    ">",
    "</",
    "/>",
    "&",
    ";",
    "\n",
    " ",
    "]]>",
    "<Key>",
    "</Key>",
    "<a/>",
    "&#10;",
  )
  await fc.assert(
    fc.asyncProperty(listing, fc.nat(), fc.nat(30), piece, async (whole, place, taken, put) => {
      const at = place % whole.length
      const document = (whole.slice(0, at) + put + whole.slice(at + taken)).toWellFormed()
      const page = parseListing(document)
      if (page === null) return
      const bySdk = await listedBySdk(document).catch(() => null)
      if (bySdk) expect(usedOf(page)).toEqual(usedOf(bySdk))
    }),
    { numRuns: 2000 },
  )
})

describe("is left to the SDK", () => {
  const instead = (old: string, now: string): string => {
    expect(PAGE).toContain(old)
    return PAGE.replace(old, now)
  }
  const odd: [string, () => string][] = [
    ["nothing", () => ""],
    ["no XML", () => "{}"],
    ["another document", () => "<html><body>sign in</body></html>"],
    ["an empty root", () => "<ListBucketResult/>"],
    ["a mark of byte order", () => `\ufeff${PAGE}`],
    ["two documents", () => PAGE + PAGE.replace(/^<\?.*?\?>/, "")],
    ["text behind it", () => `${PAGE}.`],
    ["two declarations", () => `<?xml version="1.0"?>${PAGE}`],
    ["a DOCTYPE", () => instead("<ListBucketResult", '<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult')],
    ["a comment", () => instead("<KeyCount>", "<!-- one --><KeyCount>")],
    ["a comment in a key", () => instead("<Key>a", "<Key>a<!-- one -->")],
    ["a section of characters", () => instead("<Key>a", "<Key><![CDATA[a]]>")],
    ["an instruction", () => instead("<KeyCount>", "<?php exit ?><KeyCount>")],
    ["an unknown entity", () => instead("<Key>a", "<Key>&nbsp;a")],
    ["an ampersand", () => instead("<Key>a", "<Key>a & b")],
    ["an entity that does not end", () => instead("<Key>a", "<Key>a&amp")],
    ["a character that is none", () => instead("<Key>a", "<Key>a&#0;")],
    ["half a character", () => instead("<Key>a", "<Key>a&#xd83d;&#xde00;")],
    ["a character with a large number", () => instead("<Key>a", "<Key>a&#x1f600;")],
    ["a bracket in text", () => instead("<Key>a", "<Key>a]]>b")],
    ["lines that end as Windows' do", () => instead("<KeyCount>", "\r\n<KeyCount>")],
    ["a key of a new line", () => instead("<Key>a", "<Key>\n")],
    ["a key of a new line by its number", () => instead("<Key>a", "<Key>&#10;")],
    ["spaces between elements", () => instead("<KeyCount>", " <KeyCount>")],
    ["text between elements", () => instead("<KeyCount>", "x<KeyCount>")],
    ["text behind elements", () => instead("</Contents>", "x</Contents>")],
    ["elements in a key", () => instead("<Key>a", "<Key>a<Sub>b</Sub>")],
    ["elements in the name", () => instead("<Name>vault", "<Name><Sub>b</Sub>")],
    ["attributes of the root", () => instead("<ListBucketResult", '<ListBucketResult a="b"')],
    ["attributes", () => instead("<Key>", '<Key a="b">')],
    ["attributes of what is skipped", () => instead("<ID>", '<ID xsi:type="b">')],
    ["an end tag with a space", () => instead("</Key>", "</Key >")],
    ["another end tag", () => instead("</Key>", "</key>")],
    ["an end tag too much", () => instead("</Contents>", "</Contents></Contents>")],
    ["an element that does not end", () => instead("</ID>", "")],
    ["a root that does not end", () => instead("</ListBucketResult>", "")],
    ["a name with a prefix", () => instead("<ID>1</ID>", "<s3:ID>1</s3:ID>")],
    ["the name of a prototype", () => instead("<ID>1</ID>", "<__proto__>1</__proto__>")],
    ["the name of an inherited member", () => instead("<Owner>", "<toString>1</toString><Owner>")],
    ["a name without end", () => instead("<ID>1</ID>", `<${"I".repeat(1e6)}>`)],
    ["depth", () => instead("<ID>1</ID>", `${"<ID>".repeat(10)}1${"</ID>".repeat(10)}`)],
    ["depth without end", () => instead("<ID>1</ID>", "<ID>".repeat(1e5))],
    ["two names", () => instead("<Name>vault</Name>", "<Name>vault</Name><Name>vault</Name>")],
    ["two prefixes", () => instead("<Name>", "<Prefix/><Prefix/><Name>")],
    ["two keys", () => instead("<Key>a</Key>", "<Key>a</Key><Key>a</Key>")],
    ["two sizes", () => instead("<Size>3</Size>", "<Size>3</Size><Size>3</Size>")],
    ["two prefixes in one", () => instead("<Prefix>b/</Prefix>", "<Prefix>b/</Prefix><Prefix>c/</Prefix>")],
    ["no key", () => instead("<Key>a</Key>", "")],
    ["an empty object", () => instead("<CommonPrefixes>", "<Contents/><CommonPrefixes>")],
    ["no prefix", () => instead("<Prefix>b/</Prefix>", "")],
    ["a size that is none", () => instead("<Size>3", "<Size>-3")],
    ["a size that is no whole number", () => instead("<Size>3", "<Size>3.5")],
    ["a size in hex", () => instead("<Size>3", "<Size>0x3")],
    ["a size that no number holds", () => instead("<Size>3", "<Size>9007199254740993")],
    ["a size of nothing", () => instead("<Size>3", "<Size>")],
    ["a count that is none", () => instead("<KeyCount>1", "<KeyCount>one")],
    ["a truth that is none", () => instead("<IsTruncated>false", "<IsTruncated>False")],
    ["a date that is none", () => instead("2026-11-28T15:35:04.684Z", "today")],
    ["a date in another form", () => instead("2026-11-28T15:35:04.684Z", "Sat, 28 Nov 2026 15:42:33 GMT")],
    ["a date elsewhere", () => instead("15:35:04.684Z", "15:35:04+01:00")],
    ["a day that is none", () => instead("2026-11-28", "2026-02-30")],
    ["a month that is none", () => instead("2026-11-28", "2026-13-01")],
    ["an hour that is none", () => instead("T15:35:04.684Z", "T24:00:00Z")],
    ["a second that is none", () => instead("15:35:04.684Z", "15:35:61Z")],
  ]
  test.each(odd)("%s", (_, document) => {
    expect(parseListing(document())).toBeNull()
  })

  test("all that is hostile in 8 MiB, in little time", () => {
    for (const piece of ["<", ">", "&", "&#", "<A>", "<A/>", " ", "\n", "&amp;", "<Contents>", "</"]) {
      const many = piece.repeat((8 * 1024 ** 2) / piece.length)
      for (const document of [
        many,
        PAGE.replace("<Key>a", `<Key>${many}`),
        PAGE.replace("<ID>1", `<ID>${many}`),
      ]) {
        const start = performance.now()
        parseListing(document)
        expect(performance.now() - start).toBeLessThan(5000)
      }
    }
  })
})
