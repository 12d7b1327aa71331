import { describeFaults } from "../contract/faults.ts"

const { S3EP_TEST_ENDPOINT, S3EP_TEST_SEED, S3EP_TEST_FAULT_SHARE = "0.04" } = process.env

// Parts as small as the embedded server takes them make every case affordable; a real one gets a sample.
await describeFaults({ S3EP_TEST_SEED }, 1)
if (S3EP_TEST_ENDPOINT) await describeFaults(process.env, Number(S3EP_TEST_FAULT_SHARE))
