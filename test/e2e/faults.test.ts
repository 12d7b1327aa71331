import { describeFaults } from "../contract/faults.ts"

const { S3EP_TEST_ENDPOINT, S3EP_TEST_SEED, S3EP_TEST_FAULT_SHARE } = process.env

// Which cases are tried is drawn anew for each run; `npm run test:soak` tries all. A real server, whose parts are three
// hundred times as large, gets fewer.
await describeFaults({ S3EP_TEST_SEED }, Number(S3EP_TEST_FAULT_SHARE ?? 0.4))
if (S3EP_TEST_ENDPOINT) await describeFaults(process.env, Number(S3EP_TEST_FAULT_SHARE ?? 0.04))
