import { fstat } from "node:fs"

const EVERY_MS = 1000
/** Which file it is makes no difference; this one is open in every process, mostly. */
const STDERR = 2

/**
 * Give the threads that wait for the file system something to do now and then. glibc before 2.41 loses, once in a great
 * while, the signal that wakes one of them (https://sourceware.org/bugzilla/show_bug.cgi?id=25847), and the call it was
 * for would lie there until another one is made, which may be never: whoever made it waits. Whoever is woken takes up
 * what lies there first.
 *
 * @returns what ends it; it keeps no process from ending.
 */
export function rouseThreadPool(everyMs: number = EVERY_MS): Disposable {
  let idle = true
  const timer = setInterval(() => {
    // Where all of them hang, a network's file system being gone, one more that waits is enough.
    if (!idle) return
    idle = false
    fstat(STDERR, () => {
      idle = true
    })
  }, everyMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}
