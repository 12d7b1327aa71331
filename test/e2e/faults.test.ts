import { describeFaults } from "../contract/faults.ts"

await describeFaults(process.env, 1)
