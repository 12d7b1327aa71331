import { rouseThreadPool } from "../../src/cli/thread-pool.ts"

// Set up for every test file: what the command line does for a run of its own. A test once waited its full minute for
// nothing that was found, which this would explain.
rouseThreadPool()
