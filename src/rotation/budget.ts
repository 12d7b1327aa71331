/** Something of which there is only so much, memory for instance, shared by those who work at the same time. */
export class Budget {
  readonly #whole: number
  #free: number
  readonly #waiting: { readonly amount: number; readonly go: () => void }[] = []

  constructor(whole: number) {
    this.#whole = whole
    this.#free = whole
  }

  /**
   * Take some, waiting in line until there is as much; who asks for more than there is gets all of it.
   *
   * @returns gives it back when disposed of.
   */
  async take(amount: number): Promise<Disposable> {
    const taken = Math.min(amount, this.#whole)
    if (this.#waiting.length > 0 || taken > this.#free) {
      await new Promise<void>((go) => {
        this.#waiting.push({ amount: taken, go })
      })
    } else {
      this.#free -= taken
    }
    return { [Symbol.dispose]: () => this.#giveBack(taken) }
  }

  #giveBack(amount: number): void {
    this.#free += amount
    for (let next = this.#waiting[0]; next && next.amount <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.amount
      next.go()
    }
  }
}
