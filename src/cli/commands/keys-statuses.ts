/** What a command about keys can end in. */
export const KEYS_STATUSES: readonly number[] = [0, 1, 2, 5, 8, 10, 130, 143]
