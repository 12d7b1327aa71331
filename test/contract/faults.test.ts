import { describeFaults } from "./faults.ts"

// A sample, on the server that comes with the tests; all of them, on a real one too, are in test/e2e.
await describeFaults({ S3EP_TEST_SEED: process.env["S3EP_TEST_SEED"] }, 0.12)
