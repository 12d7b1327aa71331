import { expect, test } from "vitest"
import { BodyQueue } from "../../../../src/store/http/answer-body.ts"
import { bodyFraming } from "../../../../src/store/http/body-framing.ts"

const RECORD_BYTES = 16_384

function bodyOf(bytes: number, waits: boolean) {
  return new BodyQueue(bodyFraming(bytes), {
    waits,
    goOn: () => undefined,
    waiting: () => undefined,
    finish: () => undefined,
  })
}

const record = (index: number) => new Uint8Array(RECORD_BYTES).fill(index)

test("TLS: records that come one right after the other are handed out together, and read until they are many", async () => {
  const body = bodyOf(100 * RECORD_BYTES, false)
  for (let round = 0; round < 2; round++) {
    const next = body.next()
    const goesOn: boolean[] = []
    for (let index = 0; index < 16; index++) {
      body.receive(record(round * 16 + index))
      goesOn.push(body.wantsMore)
    }
    expect(goesOn.indexOf(false)).toBe(15)
    const { value } = await next
    expect(value).toEqual(
      new Uint8Array(Buffer.concat(Array.from({ length: 16 }, (_, index) => record(round * 16 + index)))),
    )
    expect(body.wantsMore).toBe(false)
  }
})

test("TLS: what came too early for anybody is there for the next who asks", async () => {
  const body = bodyOf(100 * RECORD_BYTES, false)
  body.receive(record(1))
  expect(body.wantsMore).toBe(false)
  expect((await body.next()).value).toEqual(record(1))
})

test("a connection that waits is read again once what it brought was handed out", async () => {
  const body = bodyOf(100 * RECORD_BYTES, true)
  body.reuseMemory()
  const next = body.next()
  expect(body.wantsMore).toBe(true)
  body.receive(record(1))
  expect(body.wantsMore).toBe(false)
  expect((await next).value).toEqual(record(1))
})
