/**
 * The name a person most likely meant, for "did you mean": at most a third of its letters away, capitals and
 * separators aside.
 *
 * @returns undefined if none is close.
 */
export function closestName(given: string, names: Iterable<string>): string | undefined {
  const wanted = plain(given)
  let best: { name: string; distance: number } | undefined
  for (const name of names) {
    const distance = editDistance(wanted, plain(name))
    if (distance > Math.max(1, Math.floor(name.length / 3))) continue
    if (best === undefined || distance < best.distance) best = { name, distance }
  }
  return best?.name
}

function plain(name: string): string {
  // Bounded, because the distance costs the product of the lengths and a config file may say anything.
  return name.slice(0, 64).toLowerCase().replaceAll(/[-_.]/g, "")
}

/** Levenshtein distance with swapped neighbours counted as one change. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (same ? 0 : 1),
          swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}
