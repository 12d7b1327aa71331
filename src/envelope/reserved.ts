/** What s3ep keeps for itself below a prefix; keyrings are there. No user's object has it in its key. */
export const RESERVED_DIRECTORY = ".s3ep/"

/** Whether an object is s3ep's own: it lies in a directory called `.s3ep`, at any depth. */
export function isReserved(key: string): boolean {
  return key.startsWith(RESERVED_DIRECTORY) || key.includes(`/${RESERVED_DIRECTORY}`)
}
